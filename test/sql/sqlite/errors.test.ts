import { SqlError } from "@effect/sql/SqlError"
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { classify } from "../../../src/sql/internal/sqlite/errors.js"

const ofCode = (code: string, message = "s3cr3t") =>
  classify(
    new SqlError({
      message: "Failed to execute statement",
      cause: Object.assign(new Error(message), { code })
    }),
    false
  )

describe("failures of SQLite", () => {
  it("are classified by their result code, primary or extended", () => {
    const kinds: Readonly<Record<string, ReadonlyArray<string>>> = {
      Transient: ["BUSY", "BUSY_SNAPSHOT", "LOCKED", "LOCKED_SHAREDCACHE", "FULL", "IOERR", "IOERR_FSYNC"],
      Poison: ["CONSTRAINT", "CONSTRAINT_UNIQUE", "CONSTRAINT_CHECK", "MISMATCH", "TOOBIG", "RANGE"],
      Fatal: ["CANTOPEN", "CANTOPEN_ISDIR", "NOTADB", "CORRUPT", "READONLY_DBMOVED", "AUTH", "ERROR"],
      Unknown: ["NOMEM", "INTERNAL", "PROTOCOL", "MISUSE", "INTERRUPT"]
    }
    for (const [kind, codes] of Object.entries(kinds)) {
      for (const code of codes)
        expect(ofCode(`SQLITE_${code}`), code).toMatchObject({ kind, code: `SQLITE_${code}` })
    }
  })

  it("are blamed by their code and their words", () => {
    const columns = [{ name: "id" }, { name: "note" }]
    const save = { table: { name: "audit", columns }, rows: [{ id: 1, note: "s3cr3t" }] } as never
    const cases: ReadonlyArray<readonly [string, string, string, string | undefined]> = [
      ["CONSTRAINT_UNIQUE", "UNIQUE constraint failed: audit.note", "Poison", "record"],
      ["CONSTRAINT_UNIQUE", "UNIQUE constraint failed: other.note", "Poison", "either"],
      ["CONSTRAINT_NOTNULL", "NOT NULL constraint failed: audit.note", "Poison", "record"],
      ["CONSTRAINT_NOTNULL", "NOT NULL constraint failed: audit.added", "Poison", "either"],
      ["CONSTRAINT_CHECK", "CHECK constraint failed: length(note) < 9", "Poison", "record"],
      ["CONSTRAINT_TRIGGER", "no s3cr3t notes", "Poison", "either"],
      ["ERROR", "malformed JSON", "Poison", "either"],
      ["ERROR", "no such table: main.audit", "Transient", "either"],
      ["BUSY", "database is locked", "Transient", undefined]
    ]
    for (const [code, message, kind, blame] of cases) {
      const error = Object.assign(new Error(message), { code: `SQLITE_${code}` })
      const found = classify(error, true, save)
      expect(found, `${code}: ${message}`).toMatchObject({ kind, blame })
      expect(found.message).not.toContain("s3cr3t")
    }
    // Before the first save nobody knows whether the table was ever there.
    expect(ofCode("SQLITE_ERROR", "no such table: main.audit")).toMatchObject({
      kind: "Fatal",
      blame: "either"
    })
  })

  it("show whether something may be stored", () => {
    expect(ofCode("SQLITE_BUSY").outcome).toBe("NotStored")
    expect(ofCode("SQLITE_FULL").outcome).toBe("NotStored")
    expect(ofCode("SQLITE_IOERR_FSYNC").outcome).toBe("Unknown")
    expect(ofCode("SQLITE_NOMEM").outcome).toBe("Unknown")
  })

  it("are poison where the driver cannot bind a value, and unknown where the code is broken", () => {
    const db = new Sqlite(":memory:")
    const thrown = (run: () => unknown): unknown => {
      try {
        return run()
      } catch (error) {
        return error
      }
    }
    const select = db.prepare("SELECT ?")
    expect(
      classify(
        thrown(() => select.get({})),
        false
      )
    ).toMatchObject({ kind: "Unknown" })
    for (const value of [true, Symbol("s"), () => 1, 2n ** 64n]) {
      expect(
        classify(
          thrown(() => select.get(value)),
          false
        ),
        String(value)
      ).toMatchObject({ kind: "Poison" })
    }
    db.close()
    expect(
      classify(
        thrown(() => select.get(1)),
        false
      )
    ).toMatchObject({ kind: "Unknown", outcome: "Unknown" })
    expect(classify(new TypeError("Cannot read properties of undefined"), false)).toMatchObject({
      kind: "Unknown"
    })
    for (const odd of [undefined, null, "text", 5, {}])
      expect(classify(odd, false)).toMatchObject({ kind: "Unknown" })
  })

  it("show names, and no values", () => {
    expect(ofCode("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: t.a, t.b")).toMatchObject({
      constraint: "t.a, t.b",
      message: "SQLITE_CONSTRAINT_UNIQUE: UNIQUE constraint failed: t.a, t.b"
    })
    // What a trigger raises is its author's text, and may quote a value.
    expect(ofCode("SQLITE_CONSTRAINT_TRIGGER").message).toBe("SQLITE_CONSTRAINT_TRIGGER")
    expect(classify(new Error("s3cr3t"), false).message).toBe("the driver failed with Error")
  })
})
