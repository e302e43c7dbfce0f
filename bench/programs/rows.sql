-- A database in memory: rows inserted, indexed, updated, joined, deleted.
CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, town TEXT, balance INTEGER);
CREATE TABLE entry (id INTEGER PRIMARY KEY, account INTEGER, amount INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
INSERT INTO account SELECT i, 'name' || i * 7919 % 40000, 'town' || i % 97, 0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
INSERT INTO entry SELECT i, 1 + i * 7919 % 40000, i % 1009 - 500, hex(i * 2654435761) FROM n;
CREATE INDEX entry_account ON entry (account);
CREATE INDEX account_name ON account (name);
UPDATE account SET balance = (SELECT sum(amount) FROM entry WHERE account = account.id);
SELECT town, count(*), sum(balance), group_concat(name) FROM account GROUP BY town ORDER BY 3
LIMIT 5;
SELECT a.name, count(*), max(e.note) FROM account a JOIN entry e ON e.account = a.id
GROUP BY a.name ORDER BY 2 DESC, 1 LIMIT 5;
DELETE FROM entry WHERE amount < 0;
SELECT count(*), sum(amount) FROM entry;
SELECT count(DISTINCT upper(note) || lower(town)) FROM entry JOIN account ON account = account.id;
