/** Guards of the storages and logs in databases. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/sql/internal/${file}.ts`
const sql = (file: string, name: string) => ({ file: `test/sql/${file}.test.ts`, name })
const logging = (name: string) => ({ file: "test/recorder/logs.test.ts", name })

export const sqlMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "sort by what is selected, not by the column",
    file: internal("orderBy"),
    find: "dialect.operand(columnOf(alias, column))",
    replace: "dialect.operand(column)",
    test: sql("orderBy", "of a log names a column of a table")
  },
  {
    name: "give up young revisions by their digits",
    file: internal("orderBy"),
    find: "dialect.operand(columnOf(alias, column))",
    replace: "dialect.operand(column)",
    test: sql("log/retention", "gives up no young revision when ten were appended and one given up"),
    needs: "servers"
  },
  {
    name: "report of a failed look-up that nothing is stored",
    file: internal("storage/saving"),
    find: 'withOutcome(error, "Unknown")',
    replace: 'withOutcome(error, "NotStored")',
    test: sql("storage/lookUp", "has an unknown outcome: what was written is stored")
  },
  {
    name: "forget the rings that could not be sent",
    file: internal("pg/doorbell"),
    find: "if (error !== undefined) rings.forEach(pending.add)",
    replace: "if (error !== undefined) void rings",
    test: sql("PgDoorbell", "sends again the rings that were lost with its connection"),
    needs: "servers"
  },
  {
    name: "take an id for another one by its collation",
    file: internal("ensureTable"),
    find: "of existing.loose) {",
    replace: "of existing.loose.slice(0, 0)) {",
    test: sql("exactIds", "refuses a table whose id takes different texts for the same"),
    needs: "servers"
  },
  {
    name: "begin a page of microseconds behind their millisecond",
    file: internal("storage/openTable"),
    find: "finer: dialect.finer?.holds(column, type) === true",
    replace: "finer: false",
    test: sql(
      "storage/unreadableRows",
      "with one instant of microseconds come once each, by pages and streamed"
    ),
    needs: "servers"
  },
  {
    name: "go on with pages that do not go on",
    file: internal("storage/reading"),
    find: "typed.after === undefined || isInOrder(",
    replace: "typed.after !== null || isInOrder(",
    test: sql("storage/unreadableRows", "with text that is no Unicode never make pages without an end"),
    needs: "servers"
  },
  {
    name: "read what no column can hold",
    file: internal("storage/renderQuery"),
    find: "if (rule !== undefined) throw",
    replace: "if (rule === null) throw",
    test: sql(
      "storage/unreadableRows",
      "that no column can hold fail each read that meets them, and only those"
    ),
    needs: "servers"
  },
  {
    name: "pass by rows with a NULL that is not foreseen",
    file: internal("storage/reading"),
    find: "endsAtNull(typed, rows) ? page(",
    replace: "false ? page(",
    test: sql(
      "storage/unreadableRows",
      "that no column can hold fail each read that meets them, and only those"
    ),
    needs: "servers"
  },
  {
    name: "read in the caller's transaction",
    file: "src/sql/PgStorage.ts",
    find: "          read: executor.run\n",
    replace: "",
    test: sql("PgStorage", "reads and prunes outside of its caller's transaction"),
    needs: "servers"
  },
  {
    name: "log nothing of what may be lost",
    file: internal("durability"),
    find: "losses.length === 0",
    replace: "losses.length >= 0",
    test: sql("durability", "is logged of a client's synchronous and journal_mode"),
    needs: "servers"
  },
  {
    name: "database: poll for ever where the caller cannot be interrupted",
    file: internal("log/sqlChangeLog"),
    find: "                Effect.interruptible(\n                  Effect.schedule(",
    replace: "                Effect.uninterruptible(\n                  Effect.schedule(",
    test: sql(
      "log/SqlChangeLog",
      "rings no more when the scope ends, also of a caller that cannot be interrupted"
    ),
    needs: "servers"
  },
  {
    name: "database: ring no other log of the process",
    file: internal("log/sqlChangeLog"),
    find: "    local.ring(store.logId)\n",
    replace: "",
    test: sql("sqlite/log", "are both rung by each commit and by a renewed epoch")
  },
  {
    name: "database: renew an epoch without a ring",
    file: internal("log/sqlChangeLog"),
    find: "Effect.tap(typed(Store.renew(store)), () => ringEverywhere(open, 0))",
    replace: "typed(Store.renew(store))",
    test: sql("sqlite/log", "are both rung by each commit and by a renewed epoch")
  },
  {
    name: "database: take no value before from what the log holds",
    file: internal("log/append"),
    find: "keepsState ? values : undefined)",
    replace: "keepsState ? new Map() : undefined)",
    test: sql("sqlite/log", "give each event the value before it, whichever of them has written it")
  },
  {
    name: "database: ring no feed when a doorbell is up again",
    file: internal("pg/doorbell"),
    find: "    yield* Effect.sync(() => ringAll(link))\n",
    replace: "",
    test: sql("PgDoorbell", "is down when its backend is ended, up again by itself, and rings once then"),
    needs: "servers"
  },
  {
    name: "database: end a doorbell without a wait for its connection",
    file: internal("pg/doorbell"),
    find: "  sender !== undefined || pending.isEmpty()\n",
    replace: "  sender !== null || pending.isEmpty()\n",
    test: sql("PgDoorbell", "sends what waits when it ends before it is up"),
    needs: "servers"
  },
  {
    name: "database: report of a lost answer that nothing is stored",
    file: internal("pg/errors"),
    find: 'message === closedMessage ? "NotStored" : "Unknown"',
    replace: 'message === closedMessage ? "NotStored" : "NotStored"',
    test: sql("pg/errors", "Error: read ECONNRESET 10.0.0.1:5432 is Transient with the outcome Unknown")
  },
  {
    name: "database: report of a COMMIT without an answer that nothing is stored",
    file: internal("transaction"),
    find: 'yield* storageError(dialect, begun)(run(plain("COMMIT")))',
    replace: 'yield* step(dialect, run)(plain("COMMIT"))',
    test: sql("transaction", "at COMMIT has an unknown outcome")
  },
  {
    name: "database: take a violated constraint for an id that is there (Postgres)",
    file: internal("pg/insert"),
    find: "ON CONFLICT (",
    replace: "ON CONFLICT DO NOTHING -- (",
    test: sql(
      "PgStorage",
      "fails as poison on another constraint, stores nothing of the batch, and shows no value"
    ),
    needs: "servers"
  },
  {
    name: "database: take a violated constraint for an id that is there (SQLite)",
    file: internal("sqlite/insert"),
    find: "ON CONFLICT (",
    replace: "ON CONFLICT DO NOTHING -- (",
    test: sql(
      "SqliteStorage",
      "fails as poison on another constraint, stores nothing of the batch, and shows no value"
    )
  },
  {
    name: "database: leave an interrupted statement running on the server",
    file: internal("pg/pool"),
    find: "      : requestCancel(target).pipe(",
    replace: "      : Effect.void.pipe(",
    test: sql("pg/pool", "destroys the connection of an interrupted statement and cancels it on the server"),
    needs: "servers"
  },
  {
    name: "database: use the connection of an interrupted statement again",
    file: internal("pg/pool"),
    find: 'lease.giveBack(new Error("The statement was interrupted"))',
    replace: "lease.giveBack()",
    test: sql("pg/pool", "destroys the connection of an interrupted statement and cancels it on the server"),
    needs: "servers"
  },
  {
    name: "database: give up a deadlock",
    file: internal("pg/errors"),
    find: '    case "40":\n',
    replace: '    case "4-":\n',
    test: sql("pg/errors", "40001 (serialization_failure) is Transient, after the first save Transient")
  },
  {
    name: "database: give up a full disk",
    file: internal("pg/errors"),
    find: '    case "53":\n',
    replace: '    case "5-":\n',
    test: sql("pg/errors", "53100 (disk_full) is Transient, after the first save Transient")
  },
  {
    name: "database: give up a lock that is not available",
    file: internal("pg/errors"),
    find: 'state === "55P03" || ',
    replace: "",
    test: sql("pg/errors", "55P03 (lock_not_available) is Transient, after the first save Transient")
  },
  {
    name: "database: give up a server that goes down",
    file: internal("pg/errors"),
    find: ' || state.startsWith("57P")',
    replace: "",
    test: sql("pg/errors", "57P01 (admin_shutdown) is Transient, after the first save Transient")
  },
  {
    name: "database: retry a violated constraint",
    file: internal("pg/errors"),
    find: '    case "23":\n',
    replace: '    case "2-":\n',
    test: sql("pg/errors", "23505 (unique_violation) is Poison, after the first save Poison")
  },
  {
    name: "database: stop for good at a table that is away on Postgres",
    file: internal("pg/errors"),
    find: '  return [saved ? "Transient" : "Fatal", "either"]\n',
    replace: '  return ["Fatal", "either"]\n',
    test: sql("pg/errors", "42P01 (undefined_table) is Fatal, after the first save Transient")
  },
  {
    name: "database: give up a full disk under SQLite",
    file: internal("sqlite/errors"),
    find: '  FULL: "Transient",\n',
    replace: "",
    test: sql("sqlite/errors", "are classified by their result code, primary or extended")
  },
  {
    name: "take a LISTEN that succeeds for rings that arrive",
    file: internal("pg/doorbell"),
    find: "    yield* Effect.raceFirst(listener.lost, prove(ear, listener, config, intervals.pingTimeout))\n",
    replace: "",
    test: sql(
      "PgDoorbell.poolers",
      "behind a pooler that swallows notifications, it is never up, gives the reason, and polls"
    ),
    needs: "servers"
  },
  {
    name: "take a ring that comes with the answer of its own statement for one that arrives",
    file: internal("pg/ear"),
    find: "backend?.pid === String(listener.backend)",
    replace: "backend !== undefined",
    test: sql(
      "PgDoorbell.poolers",
      "behind a pooler that passes them with answers alone, it is never up, gives the reason, and polls"
    ),
    needs: "servers"
  },
  {
    name: "ping without a ring",
    file: internal("pg/doorbell"),
    find: "      ear.ringBy(listener, intervals.pingTimeout)\n",
    replace: '      ask(listener, intervals.pingTimeout, "SELECT 1")\n',
    test: sql(
      "PgDoorbell.poolers",
      "is down with the reason once notifications arrive no more, and up when they do"
    ),
    needs: "servers"
  },
  {
    name: "send no ring while none arrive",
    file: internal("pg/doorbell"),
    find: "    link.sender = listener\n",
    replace: "",
    test: sql("PgDoorbell.poolers", "behind such a pooler, it rings others all the same"),
    needs: "servers"
  },
  {
    name: "take a lock of a session that others use next",
    file: internal("pg/sessionLocks"),
    find: "const { listener } = link\n",
    replace: "const { sender: listener } = link\n",
    test: sql(
      "PgDoorbell.poolers",
      "behind such a pooler, it gives no lock of a session that others use next"
    ),
    needs: "servers"
  },
  {
    name: "database: advise a unique key that a partitioned table cannot have",
    file: "src/sql/internal/ensureTable.ts",
    find: "existing.partitionedBy === undefined\n",
    replace: "existing.partitionedBy !== null\n",
    test: sql("pg/partitioned", "is refused without a unique id, with what can be done about it"),
    needs: "servers"
  },
  {
    name: "database: hide the message of a time-out in a trigger",
    file: internal("pg/errorMessages"),
    find: '  details.file !== "postgres.c" &&\n',
    replace: "",
    test: sql("pg/errors", "is shown by its own message where that holds no value, whatever the kind")
  },
  {
    name: "log: hide the message of a storage that knows no kind",
    file: "src/internal/recorder/classify.ts",
    find: "failure instanceof Unclassified ?",
    replace: 'failure.kind === "Unknown" ?',
    test: logging("show the message of a storage that knows no kind, and no error that it has not classified")
  },
  {
    name: "log: show the message of an error that no storage has classified",
    file: "src/internal/recorder/classify.ts",
    find: "  return new Unclassified(",
    replace: "  return new StorageError(",
    test: logging("show the message of a storage that knows no kind, and no error that it has not classified")
  },
  {
    name: "give up a statement that waited for another commit",
    file: internal("pg/isolation"),
    find: 'state === "40001"',
    replace: 'state === "40000"',
    test: sql("pg/isolation", "appends at once are all done, with state none"),
    needs: "servers"
  },
  {
    name: "run it again with the default isolation",
    file: internal("pg/isolation"),
    find: "BEGIN ISOLATION LEVEL READ COMMITTED",
    replace: "BEGIN",
    test: sql("pg/isolation", "appends at once are all done, with state none"),
    needs: "servers"
  },
  {
    name: "begin a transaction of an effect with the default isolation",
    file: internal("client/transact"),
    find: "(dialect.begin)",
    replace: '({ ...dialect.begin, text: dialect.name === "pg" ? "BEGIN" : dialect.begin.text })',
    test: sql("pg/isolation", "appends at once are all done, with state none"),
    needs: "servers"
  },
  {
    name: "leave a transaction open on the connection of a client",
    file: internal("pg/isolation"),
    find: "Effect.ignore(run(rollback))",
    replace: "Effect.void",
    test: sql("pg/isolation", "what fails again leaves no open transaction on a connection of the client"),
    needs: "servers"
  }
]
