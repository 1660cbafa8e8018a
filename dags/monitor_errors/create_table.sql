CREATE TABLE IF NOT EXISTS errors (
  id        INTEGER PRIMARY KEY,
  app       TEXT NOT NULL,
  line      INTEGER NOT NULL,
  time      TEXT,
  level     TEXT NOT NULL,
  component TEXT,
  message   TEXT NOT NULL,
  details   TEXT NOT NULL,
  template  TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS errors_by_app_and_time ON errors (app, time);
