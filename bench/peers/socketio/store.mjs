// Where messages are stored before they are sent on: nowhere, or in SQLite, each in a transaction of its own.

const SCHEMA = `
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sender INTEGER NOT NULL,
    receiver INTEGER,
    conversation INTEGER,
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT`;

/** Counts messages and keeps none. */
function nowhere() {
  let last = 0;
  return { append: () => ++last };
}

/** A file with a write-ahead log, flushed at each commit unless SYNCHRONOUS says otherwise. */
async function sqlite(file) {
  // Only who stores pays for it in memory.
  const { default: Database } = await import('better-sqlite3');
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${process.env.SYNCHRONOUS || 'FULL'}`);
  database.exec(SCHEMA);
  const insert = database.prepare(
    'INSERT INTO messages (sender, receiver, conversation, text, created_at) VALUES (?, ?, ?, ?, ?)',
  );
  return {
    append: (sender, receiver, conversation, text) =>
      insert.run(sender, receiver ?? null, conversation ?? null, text, Date.now()).lastInsertRowid,
  };
}

/** The store of this name; `append` gives the number of the message. */
export async function openStore(name, file) {
  switch (name) {
    case 'none':
      return nowhere();
    case 'sqlite':
      return sqlite(file);
    default:
      throw new Error(`unknown store ${name}`);
  }
}
