--@ locks: refresh_tokens (access exclusive), a moment: no row is read or written
--@ serves: programs since 0001
-- Each refresh token is written once, and once again when it is used. The second time it finds room beside the first on its
-- page, so that no index is written for it. And what may stand in `issuer` is said by the program alone (`IssuerKind`, a domain's
-- address): Postgres reads and plans a check anew for each statement, twice for a rotation, a tenth of what that costs.

alter table refresh_tokens set (fillfactor = 80);
alter table refresh_tokens drop constraint refresh_tokens_issuer_check;
