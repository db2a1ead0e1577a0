import { SqlError } from "@effect/sql/SqlError"
import { describe, expect, it } from "@effect/vitest"
import type { FailureKind, Outcome } from "../../../src/Storage.js"
import { classifyPg, keepsConnection, losesNamedStatement } from "../../../src/sql/internal/pg/errors.js"

const secret = "s3cr3t-value"

const answer = (code: string, severity = "ERROR", fields: object = {}) =>
  Object.assign(new Error(`a message with ${secret}`), { code, severity, detail: secret, ...fields })

const statement = (cause: unknown) => new SqlError({ cause, message: "Failed to execute statement" })

const system = (code: string, syscall: string) =>
  Object.assign(new Error(`${syscall} ${code} 10.0.0.1:5432`), { code, syscall })

/** SQLSTATE, its name, the kind before and after the first save. */
const states: ReadonlyArray<readonly [string, string, FailureKind, FailureKind]> = [
  ["08000", "connection_exception", "Transient", "Transient"],
  ["08003", "connection_does_not_exist", "Transient", "Transient"],
  ["08006", "connection_failure", "Transient", "Transient"],
  ["08P01", "protocol_violation", "Unknown", "Unknown"],
  ["0A000", "feature_not_supported", "Unknown", "Unknown"],
  ["21000", "cardinality_violation", "Unknown", "Unknown"],
  ["22001", "string_data_right_truncation", "Poison", "Poison"],
  ["22003", "numeric_value_out_of_range", "Poison", "Poison"],
  ["22021", "character_not_in_repertoire", "Poison", "Poison"],
  ["22P02", "invalid_text_representation", "Poison", "Poison"],
  ["22P03", "invalid_binary_representation", "Poison", "Poison"],
  ["22P05", "untranslatable_character", "Poison", "Poison"],
  ["23502", "not_null_violation", "Poison", "Poison"],
  ["23503", "foreign_key_violation", "Poison", "Poison"],
  ["23505", "unique_violation", "Poison", "Poison"],
  ["23514", "check_violation", "Poison", "Poison"],
  ["25006", "read_only_sql_transaction", "Transient", "Transient"],
  ["25P02", "in_failed_sql_transaction", "Unknown", "Unknown"],
  ["28000", "invalid_authorization_specification", "Fatal", "Transient"],
  ["28P01", "invalid_password", "Fatal", "Transient"],
  ["3D000", "invalid_catalog_name", "Fatal", "Transient"],
  ["3F000", "invalid_schema_name", "Fatal", "Transient"],
  ["40001", "serialization_failure", "Transient", "Transient"],
  ["40003", "statement_completion_unknown", "Transient", "Transient"],
  ["40P01", "deadlock_detected", "Transient", "Transient"],
  ["42501", "insufficient_privilege", "Fatal", "Transient"],
  ["42703", "undefined_column", "Fatal", "Transient"],
  ["42P01", "undefined_table", "Fatal", "Transient"],
  ["42P10", "invalid_column_reference", "Fatal", "Transient"],
  ["53100", "disk_full", "Transient", "Transient"],
  ["53200", "out_of_memory", "Transient", "Transient"],
  ["53300", "too_many_connections", "Transient", "Transient"],
  ["54000", "program_limit_exceeded", "Poison", "Poison"],
  ["55000", "object_not_in_prerequisite_state", "Unknown", "Unknown"],
  ["55P03", "lock_not_available", "Transient", "Transient"],
  ["57014", "query_canceled", "Transient", "Transient"],
  ["57P01", "admin_shutdown", "Transient", "Transient"],
  ["57P02", "crash_shutdown", "Transient", "Transient"],
  ["57P03", "cannot_connect_now", "Transient", "Transient"],
  ["58030", "io_error", "Unknown", "Unknown"],
  ["P0001", "raise_exception", "Poison", "Poison"],
  ["XX000", "internal_error", "Unknown", "Unknown"]
]

/** Errors without an answer of the server. */
const silent: ReadonlyArray<readonly [unknown, FailureKind, Outcome]> = [
  [system("ECONNREFUSED", "connect"), "Transient", "NotStored"],
  [system("ETIMEDOUT", "connect"), "Transient", "NotStored"],
  [system("EHOSTUNREACH", "connect"), "Transient", "NotStored"],
  [system("ENETUNREACH", "connect"), "Transient", "NotStored"],
  [system("ENOENT", "connect"), "Transient", "NotStored"],
  [system("ENOENT", "open"), "Unknown", "Unknown"],
  [system("ENOTFOUND", "getaddrinfo"), "Transient", "NotStored"],
  [system("EAI_AGAIN", "getaddrinfo"), "Transient", "NotStored"],
  [system("ECONNRESET", "read"), "Transient", "Unknown"],
  [system("ETIMEDOUT", "read"), "Transient", "Unknown"],
  [system("EPIPE", "write"), "Transient", "Unknown"],
  [new Error("Connection terminated unexpectedly"), "Transient", "Unknown"],
  [new Error("Connection terminated"), "Transient", "Unknown"],
  [new Error("Query read timeout"), "Transient", "Unknown"],
  [new Error("timeout expired"), "Transient", "NotStored"],
  [new Error("timeout exceeded when trying to connect"), "Transient", "NotStored"],
  [new Error("Connection terminated due to connection timeout"), "Transient", "NotStored"],
  [new Error("Client has encountered a connection error and is not queryable"), "Transient", "NotStored"],
  [new Error("Client was closed and is not queryable"), "Transient", "NotStored"],
  [new Error("Cannot use a pool after calling end on the pool"), "Fatal", "NotStored"],
  [new Error("The server does not support SSL connections"), "Fatal", "Unknown"],
  [new Error("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"), "Fatal", "Unknown"],
  [system("DEPTH_ZERO_SELF_SIGNED_CERT", "read"), "Fatal", "Unknown"],
  [new TypeError(`x is not a function of ${secret}`), "Unknown", "Unknown"],
  ["a text", "Unknown", "Unknown"],
  [undefined, "Unknown", "Unknown"]
]

describe("an error of Postgres", () => {
  it.each(states)("%s (%s) is %s, after the first save %s", (code, _, before, after) => {
    for (const error of [answer(code), statement(answer(code)), statement(statement(answer(code)))]) {
      expect(classifyPg(error, false)).toMatchObject({ kind: before, code })
      expect(classifyPg(error, true)).toMatchObject({ kind: after, code })
    }
  })

  it.each(silent)("%s is %s with the outcome %s", (error, kind, outcome) => {
    for (const wrapped of [error, statement(error)]) {
      expect(classifyPg(wrapped, false)).toMatchObject({ kind, outcome })
      // What is fatal at first lasts until somebody acts, and passes then; an ended pool never works again.
      const lasting = kind === "Fatal" && outcome === "Unknown" ? "Transient" : kind
      expect(classifyPg(wrapped, true)).toMatchObject({ kind: lasting, outcome })
    }
  })

  it("proves by an ERROR that nothing was stored, and by nothing else that the server sends", () => {
    for (const [code] of states) {
      const unproven = code.startsWith("08") || code === "40003"
      expect(classifyPg(statement(answer(code)), true).outcome, code).toBe(unproven ? "Unknown" : "NotStored")
      for (const severity of ["FATAL", "PANIC", "FEHLER"]) {
        expect(classifyPg(statement(answer(code, severity)), true).outcome).toBe("Unknown")
      }
    }
  })

  it("proves that nothing was stored when there was no connection", () => {
    for (const cause of [answer("53300", "FATAL"), answer("57P03", "FATAL"), system("ECONNRESET", "read")]) {
      const error = new SqlError({ cause, message: "Failed to acquire connection for transaction" })
      expect(classifyPg(error, true)).toMatchObject({ kind: "Transient", outcome: "NotStored" })
    }
  })

  it("is found in the attempts at several addresses of a host", () => {
    const error = new AggregateError([system("ECONNREFUSED", "connect"), system("EHOSTUNREACH", "connect")])
    expect(classifyPg(statement(error), false)).toMatchObject({ code: "ECONNREFUSED", outcome: "NotStored" })
  })

  it("shows the constraint, the table and the column, and no value", () => {
    const fields = { constraint: "audit_key", table: "audit", column: "door", schema: "public" }
    for (const code of ["22001", "22P02", "23502", "23505", "23514", "21000", "P0001", "XX000"]) {
      const { constraint, message } = classifyPg(statement(answer(code, "ERROR", fields)), true)
      expect(constraint).toBe("audit_key")
      expect(message).toContain(code)
      expect(message).toContain('constraint "audit_key", table "audit", column "door"')
      expect(message).not.toContain(secret)
    }
    expect(classifyPg(new TypeError(secret), true).message).not.toContain(secret)
  })

  it("is shown by its own message where that holds no value, whatever the kind", () => {
    for (const code of ["57014", "08P01", "0A000", "25P02", "26000", "42P05", "53300", "57P01"]) {
      const said = "canceling statement due to statement timeout"
      const { message } = classifyPg(answer(code, "ERROR", { message: said }), true)
      expect(message, code).toContain(`PostgreSQL ${code}: ${said}`)
    }
    // A trigger was running when the time was over.
    const where = "PL/pgSQL function rule() line 3 at PERFORM"
    const inside = { file: "postgres.c", message: "canceling statement due to lock timeout", where }
    expect(classifyPg(answer("57014", "ERROR", inside), true).message).toContain(inside.message)
    const raised = { file: "pl_exec.c", message: secret, routine: "exec_stmt_raise", where }
    expect(classifyPg(answer("57014", "ERROR", raised), true).message).not.toContain(secret)
  })

  it("is blamed by its details: on the record, the table, the size or the server", () => {
    const where = "PL/pgSQL function rule(text) line 3 at RAISE"
    const columns = [{ name: "door" }, { name: "note" }]
    const save = { table: { columns }, rows: [{ door: "front", note: "the secret word" }] } as never
    const cases: ReadonlyArray<readonly [string, object, FailureKind, string | undefined]> = [
      ["22P02", {}, "Poison", "record"],
      ["22P02", { where }, "Poison", "either"],
      ["22012", { where: 'SQL statement "SELECT 1/0"' }, "Poison", "either"],
      ["23502", { column: "door" }, "Poison", "record"],
      ["23502", { column: "added" }, "Poison", "either"],
      ["23505", { constraint: "audit_key" }, "Poison", "record"],
      ["23505", { constraint: "other_key", where }, "Poison", "either"],
      ["23514", { constraint: "audit_check" }, "Poison", "record"],
      // No partition takes the row.
      ["23514", {}, "Poison", "either"],
      ["42501", { routine: "ExecWithCheckOptions" }, "Poison", "either"],
      ["42501", { routine: "aclcheck_error" }, "Transient", "either"],
      ["42P01", { where }, "Transient", "either"],
      ["54000", { routine: "index_form_tuple" }, "Poison", "record"],
      // The queue of notifications is full.
      ["54000", { file: "async.c", routine: "PreCommit_Notify" }, "Transient", undefined],
      ["54001", {}, "Poison", "either"],
      ["57014", {}, "Transient", "size"],
      ["53200", {}, "Transient", "size"],
      ["53100", {}, "Transient", "backend"],
      ["P0001", { where }, "Poison", "either"],
      ["AUD01", { where, routine: "exec_stmt_raise" }, "Poison", "either"],
      ["44000", {}, "Poison", "either"],
      ["XX000", { file: "mcxt.c" }, "Poison", "either"],
      ["XX000", {}, "Unknown", undefined]
    ]
    for (const [code, fields, kind, blame] of cases) {
      const found = classifyPg(statement(answer(code, "ERROR", fields)), true, save)
      expect(found, `${code} ${JSON.stringify(fields)}`).toMatchObject({ kind, blame })
    }
    // A trigger makes names of values, and may raise under any code.
    for (const fields of [{ where }, { routine: "exec_stmt_raise" }]) {
      for (const [code] of states) {
        expect(classifyPg(answer(code, "ERROR", fields), true).message, code).not.toContain(secret)
      }
    }
    expect(classifyPg(system("ECONNRESET", "read"), true)).toMatchObject({ blame: "size" })
    expect(classifyPg(system("ECONNREFUSED", "connect"), true)).toMatchObject({ blame: "backend" })
    const raised = Object.assign(
      new Error("no notes of THE secret word before 2026, said Secretary 7: a WORD"),
      {
        code: "P0001",
        severity: "ERROR",
        where
      }
    )
    expect(classifyPg(statement(raised), true, save).message).toBe(
      `PostgreSQL P0001: no notes of … before …, said Secretary …: a …; in ${where}`
    )
    // Of many rows it cannot be told what the message quotes of them.
    const many = { table: { columns }, rows: new Array(9).fill({ door: "front", note: "x" }) } as never
    expect(classifyPg(statement(raised), true, many).message).toBe(`PostgreSQL P0001: in ${where}`)
  })

  it("quotes the server, and names what to do, where no row is quoted", () => {
    const error = Object.assign(new Error('relation "audit" does not exist'), {
      code: "42P01",
      severity: "ERROR"
    })
    expect(classifyPg(statement(error), false).message).toBe(
      'PostgreSQL 42P01: relation "audit" does not exist; create the table, or check its name and the search_path'
    )
  })

  it("leaves the connection usable only when it is an ERROR that does not tie it to the wrong server", () => {
    for (const [code] of states) {
      expect(keepsConnection(answer(code)), code).toBe(code !== "25006")
      // A server that speaks another language: its words for data errors keep the connection too.
      expect(keepsConnection(answer(code, "FEHLER")), code).toBe(/^(22|23|42)/.test(code))
    }
    for (const [error] of silent) expect(keepsConnection(error)).toBe(false)
  })

  it("notices when a named statement is not there, or another one is", () => {
    expect(["26000", "42P05", "42P01", "0A000"].map((code) => losesNamedStatement(answer(code)))).toEqual([
      true,
      true,
      false,
      false
    ])
    const changed = Object.assign(new Error("cached plan must not change result type"), {
      code: "0A000",
      severity: "ERROR"
    })
    expect(losesNamedStatement(changed)).toBe(true)
  })
})
