/** Wrong in what it makes of values. */
import { StorageError } from "../../../src/Storage.js"
import { columns, type Row } from "../../support/laws/subjects.js"
import { check, copy, differing, type Wrong } from "./right.js"

type Value = (value: never) => unknown

/** Keeps the values of a column type as something else. */
const keeping = (name: string, type: string, change: Value, breaks: ReadonlyArray<string>): Wrong =>
  differing(name, { keep: (row) => changed(copy(row), type, change) }, breaks)

const changed = (row: Row, type: string, change: Value): Row => {
  const entries = Object.entries(row).map(([name, value]) => {
    const isOf = columns[name as keyof typeof columns]?.type === type
    return [name, isOf && value !== null ? change(value as never) : value]
  })
  return Object.fromEntries(entries) as Row
}

/** Does not know some of the rules, and keeps what comes of it. */
const taking = (
  name: string,
  rules: ReadonlyArray<string>,
  keep: (row: Row) => Row,
  breaks: ReadonlyArray<string>
): Wrong =>
  differing(
    name,
    {
      check: (batch) => {
        const error = check(batch)
        const bad = (error?.bad ?? []).filter(
          ({ cause }) => !rules.includes((cause as { readonly rule: string }).rule)
        )
        return bad.length === 0
          ? undefined
          : new StorageError({ kind: "Poison", outcome: "NotStored", message: "refused", bad })
      },
      keep
    },
    breaks
  )

const cut = (value: unknown, levels: number): unknown =>
  Array.isArray(value) && levels === 0
    ? null
    : Array.isArray(value)
      ? value.map((inner) => cut(inner, levels - 1))
      : value

export const wrongData: ReadonlyArray<Wrong> = [
  keeping("keeps an empty text as NULL", "text", (text: string) => (text === "" ? null : text), [
    "null-is-not-empty",
    "random-rows",
    "keeps-text",
    "hard-text"
  ]),
  keeping("trims text", "text", (text: string) => text.trim(), ["keeps-text", "random-rows", "hard-text"]),
  keeping("changes line ends", "text", (text: string) => text.replaceAll("\r\n", "\n"), [
    "hard-text",
    "random-rows",
    "keeps-text"
  ]),
  keeping("cuts text at 64 KiB", "text", (text: string) => text.slice(0, 65_536), ["long-text"]),
  keeping("keeps integers in 32 bits", "integer", (n: number) => n | 0, ["keeps-integers", "random-rows"]),
  keeping(
    "reads a bigint by way of a number",
    "bigint",
    (n: bigint) => BigInt.asIntN(64, BigInt(Number(n))),
    ["keeps-bigints", "random-rows"]
  ),
  keeping("keeps doubles in 32 bits", "real", (n: number) => Math.fround(n), [
    "keeps-doubles",
    "random-rows"
  ]),
  differing(
    "keeps -0",
    { keep: (row) => ({ ...copy(row), real: row.real }), load: ({ rows }) => rows.slice() },
    ["minus-zero-is-zero"]
  ),
  keeping(
    "keeps dates in seconds",
    "timestamp",
    (date: Date) => new Date(Math.floor(date.getTime() / 1000) * 1000),
    ["keeps-dates", "random-rows"]
  ),
  keeping(
    "cuts json at 100 levels",
    "json",
    (value: unknown) => {
      const deep = (value as { readonly deep?: unknown }).deep
      return deep === undefined ? value : { deep: cut(deep, 100) }
    },
    ["keeps-json"]
  ),
  differing(
    "keeps the buffer behind its bytes",
    { keep: (row) => ({ ...copy(row), bytes: new Uint8Array(row.bytes.buffer) }) },
    ["keeps-bytes"]
  ),
  taking("takes NaN and infinities", ["NotFinite"], (row) => row, ["refuses-nan"]),
  taking("takes numbers out of range", ["OutOfRange", "NotInteger"], (row) => row, [
    "refuses-numbers-out-of-range",
    "refuses-dates-out-of-range"
  ]),
  taking("takes invalid dates", ["InvalidDate"], (row) => row, ["refuses-dates-out-of-range"]),
  taking(
    "replaces text that is no Unicode",
    ["NullCharacter", "LoneSurrogate"],
    (row) => {
      const text = row.text.replaceAll("\0", "").replaceAll(/\p{Surrogate}/gu, "\ufffd")
      return { ...row, text }
    },
    [
      "refuses-bad-text",
      "bad-record-fails",
      "prepare-refuses-late",
      "bad-record-is-set-aside",
      "equal-or-refused"
    ]
  ),
  taking(
    "keeps of json what JSON.stringify leaves",
    ["NotPlainData", "TooDeep"],
    (row) => (check([row]) === undefined ? row : { ...row, json: {} }),
    ["refuses-bad-json", "refuses-other-types"]
  ),
  taking("converts values of other types", ["WrongType", "InvalidUuid"], (row) => row, [
    "refuses-other-types",
    "bad-record-fails",
    "prepare-refuses-late",
    "bad-record-is-set-aside"
  ])
]
