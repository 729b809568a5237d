--@ locks: nothing that serves
--@ serves: programs since 0001
-- A user with address and number, as the server reads them again and again: as one column of whatever statement needs the
-- person anyway. No table is locked, nothing is rewritten. Whoever asks sees what they may see of the tables below.

create view people with (security_invoker = true) as
select u.app_id, u.user_id, u.profile, u.metadata, u.locale, u.created_at, u.updated_at, u.disabled_at, u.access_ended_at,
  e.value as email, e.verified_at as email_verified_at, p.value as phone, p.verified_at as phone_verified_at
from users u
join identifiers e on e.app_id = u.app_id and e.user_id = u.user_id and e.kind = 'email'
left join identifiers p on p.app_id = u.app_id and p.user_id = u.user_id and p.kind = 'phone';

grant select on people to latchkey_server, latchkey_operator;
