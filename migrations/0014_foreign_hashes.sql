--@ locks: passwords (share), a moment: its index is built beforehand
--@ serves: programs since 0001
-- Passwords that came from another system and whose owners have not signed in yet: few, then fewer, so the index is
-- small. One of them is looked up at each password sign-in (src/users/passwords/store.ts).
create index passwords_foreign on passwords (app_id, user_id) where hash not like '$argon2id$%';
