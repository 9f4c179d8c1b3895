insert into words values ('from a migration');
