/** SQLite: how a file is opened, and what is confirmed when it is lost. */
import type { NamedMutant } from "../named.js"

const open = "src/sql/internal/sqlite/open.ts"
const file = "src/sql/internal/sqlite/file.ts"
const setting = (name: string) => ({ file: "test/sql/sqlite/open.test.ts", name })
const losing = (name: string) => ({ file: "test/sql/sqlite/file.test.ts", name })
const driver = "src/sql/internal/sqlite/driver.ts"
const protocol = "src/sql/internal/sqlite/protocol.ts"
const connected = (name: string) => ({ file: "test/sql/sqlite/driver.test.ts", name })
const arrives = {
  file: "test/sql/sqlite/protocol.test.ts",
  name: "arrives with the same parameters, whatever its values are"
}
const atEachStep = (name: string) => ({ file: "test/sql/sqlite/file.schedules.test.ts", name })

export const sqlite: ReadonlyArray<NamedMutant> = [
  {
    name: "SQLite: send the buffer below a few bytes to the thread",
    file: protocol,
    find: '|| table.columns.some(({ type }) => type === "bytes")',
    replace: "",
    test: {
      file: "test/sql/sqlite/protocol.test.ts",
      name: "takes no more than its bytes along, of whatever buffer they are a part"
    }
  },
  {
    name: "SQLite: commit without a sync",
    file: open,
    find: "synchronous = FULL",
    replace: "synchronous = NORMAL",
    test: setting("syncs each commit to the disk")
  },
  {
    name: "SQLite: wait for a lock in the driver",
    file: open,
    find: "busy_timeout = 0",
    replace: "busy_timeout = 5000",
    test: setting("never waits for a lock inside of the driver")
  },
  {
    name: "SQLite: checkpoint rarely",
    file: open,
    find: "gentleCheckpoint = 250",
    replace: "gentleCheckpoint = 1000",
    test: setting("lets the WAL file grow to its bound")
  },
  {
    name: "SQLite: checkpoint as the driver does",
    file: open,
    find: "wal_autocheckpoint = ",
    replace: "wal_autocheckpoint -- ",
    test: setting("lets the WAL file grow to its bound")
  },
  {
    name: "SQLite: confirm a write to a lost file",
    file,
    find: "!Array.isArray(result)",
    replace: "false",
    test: atEachStep("a save succeeds only where it is")
  },
  {
    name: "SQLite: give large numbers as they were asked for before",
    file: driver,
    find: "statement.safeIntegers(bigints)",
    replace: "(bigints ? statement.safeIntegers(true) : statement)",
    test: connected("gives large numbers as they are asked for, each time")
  },
  {
    name: "SQLite: send a thread NULL as an empty text",
    file: protocol,
    find: "lengths[i] = value === null ? absent : value.length",
    replace: "lengths[i] = value === null ? 0 : value.length",
    test: arrives
  },
  {
    name: "SQLite: send a thread NULL as no bytes",
    file: protocol,
    find: "lengths[i] = value === null ? absent : value.byteLength",
    replace: "lengths[i] = value === null ? 0 : value.byteLength",
    test: arrives
  },
  {
    name: "SQLite: send a thread NULL as the number 0",
    file: protocol,
    find: "value === null ? Number.NaN : (value as number)",
    replace: "value === null ? 0 : (value as number)",
    test: arrives
  },
  {
    name: "SQLite: send a thread NULL as the bigint 0",
    file: protocol,
    find: "if (value === null) nulls[i] = 1",
    replace: "if (value === null) nulls[i] = 0",
    test: arrives
  },
  {
    name: "SQLite: read the texts of a thread from their start",
    file: protocol,
    find: "    const start = at\n",
    replace: "    const start = 0\n",
    test: arrives
  },
  {
    name: "SQLite: confirm a COMMIT to a lost file",
    file,
    find: 'text === "COMMIT"',
    replace: 'text === ""',
    test: atEachStep("a save with its revisions succeeds only where it is")
  },
  {
    name: "SQLite: do not look before a statement",
    file,
    find: "      current !== undefined && isAtPath(current) ? Effect.succeed(current) : reopened",
    replace: "      current !== undefined ? Effect.succeed(current) : reopened",
    test: losing("is replaced, is read and pruned anew, also before anything is saved")
  },
  {
    name: "SQLite: leave the WAL file of a lost file to the next one",
    file,
    find: "    yield* remove(place.walPath, place.wal, place.path)\n",
    replace: "",
    test: losing("is replaced by a backup")
  },
  {
    name: "SQLite: close a lost file without what is in its WAL file",
    file,
    find: "PRAGMA wal_checkpoint(PASSIVE)",
    replace: "PRAGMA user_version",
    test: losing("is renamed")
  },
  {
    name: "SQLite: open anew without the tables",
    file,
    find: "prepare({ run, reserve: Effect.succeed(run) })",
    replace: "Effect.void",
    test: losing("is deleted")
  },
  {
    name: "SQLite: take what cannot be opened anew as it is at the start",
    file,
    find: 'return unavailable(at ?? name, "NotStored", what, cause)',
    replace: 'return new StorageError({ kind: "Fatal", outcome: "NotStored", message: what, cause })',
    test: losing("is replaced by what does not serve: away, with the reason, until it does")
  },
  {
    name: "SQLite: go on with an emptied file",
    file,
    find: "isSame(now, file) && isEmpty(now) && !isEmpty(file)",
    replace: "isSame(now, file) && isEmpty(now) && isEmpty(file)",
    test: losing("is emptied in its place: away, until it is deleted")
  },
  {
    name: "SQLite: go on without the WAL file",
    file,
    find: "connection.walLost = true",
    replace: "connection.walLost = false",
    test: losing("loses its WAL file: not confirmed, and everything is there again afterwards")
  },
  {
    name: "SQLite: give a thread the flags of a program that is in no file",
    file: "src/sql/internal/sqlite/threadOptions.ts",
    find: "if (!flags.some(isInputType) && !words.some(isInputType)) return {}",
    replace: "if (!words.some(isInputType)) return {}",
    test: {
      file: "test/sql/SqliteWorker.bundles.test.ts",
      name: "no flag of the program's own text, and those that find and load modules"
    }
  },
  {
    name: "SQLite: give a thread such flags by the environment",
    file: "src/sql/internal/sqlite/threadOptions.ts",
    find: "words.filter((word) => !isInputType(word))",
    replace: "words",
    test: { file: "test/sql/SqliteWorker.bundles.test.ts", name: "no such flag of NODE_OPTIONS either" }
  },
  {
    name: "SQLite: let a thread find modules in another way than its program",
    file: "src/sql/internal/sqlite/threadOptions.ts",
    find: "execArgv: needed(flags)",
    replace: "execArgv: []",
    test: {
      file: "test/sql/SqliteWorker.bundles.test.ts",
      name: "no flag of the program's own text, and those that find and load modules"
    }
  },
  {
    name: "refuse a date of another realm",
    file: "src/internal/realms.ts",
    find: "value instanceof Date || (",
    replace: "value instanceof Date && (",
    test: { file: "test/sql/SqliteStorage.test.ts", name: "reads back values of another realm" }
  },
  {
    name: "refuse bytes of another realm",
    file: "src/internal/realms.ts",
    find: "value instanceof Uint8Array || (",
    replace: "value instanceof Uint8Array && (",
    test: { file: "test/sql/SqliteStorage.test.ts", name: "reads back values of another realm" }
  },
  {
    name: "hide the message of an error of another realm",
    file: "src/internal/realms.ts",
    find: "value instanceof Error || Object.prototype",
    replace: "value instanceof Error && Object.prototype",
    test: { file: "test/internal/realms.test.ts", name: "new TypeError('x') is of one kind in both" }
  }
]
