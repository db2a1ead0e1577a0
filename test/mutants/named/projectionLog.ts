/** Guards of a log with an index of its keys: what a history is, what a condition is judged by, what outlives what. */
import type { NamedMutant } from "../named.js"

const model = {
  file: "test/log/keys.test.ts",
  name: "reads, judges and counts as a list of all events does, whatever happens to it"
}

const seqs = {
  file: "test/log/seqs.test.ts",
  name: "is judged as a model does, with keys: none"
}

const order = {
  file: "test/log/latest.test.ts",
  name: "stand in the order of their changes: one that is set again moves to the end"
}

const guard = (
  name: string,
  file: string,
  [find, replace]: readonly [find: string, replace: string],
  test = model
): NamedMutant => ({ name: `event log: ${name}`, file: `src/internal/log/${file}.ts`, find, replace, test })

export const projectionLogMutants: ReadonlyArray<NamedMutant> = [
  guard("judge what a known id expects", "judge", [
    "if (id !== undefined && (seen.has(id) || isKnown(id))) continue\n",
    "if (id !== undefined && seen.has(id)) continue\n"
  ]),
  guard("judge no entry", "memoryLog", ["if (conflict !== undefined) return Either.left(conflict)\n", ""]),
  guard("give what is left of a history for the whole", "memoryHistory", [
    "return gone > 0 ? compacted(floor.seq) : 0",
    "return 0"
  ]),
  guard("go on after an event before a removed one", "memoryHistory", [
    "if (generation < gone) return compacted(floor.seq)",
    "if (generation < gone) return 0"
  ]),
  guard("take any tag for that of an event", "memoryHistory", [
    "revision?.seq === seq && revision.tag === tag",
    "revision?.seq === seq"
  ]),
  guard("renew to nothing", "memoryLog", ["if (keys === undefined) restart(", "if (keys !== null) restart("]),
  guard("leave the events in the epoch before", "memoryRows", [
    "  moveKeys(keys, epoch, rows.map(loggedOf))\n",
    ""
  ]),
  guard("forget what is removed of a key", "memoryKeys", ["    record.gone++\n", ""]),
  guard("leave forgotten keys out of kinds", "kinds", [
    "new Set(kinds).add(forgottenKind)",
    "new Set(kinds)"
  ]),
  guard("scan no forgotten keys", "memoryScan", ["new Set([...kinds, forgottenKind])", "new Set(kinds)"]),
  guard("remove what is held", "memoryRows", [" &&\n    history.floor.seq < history.heldAfter\n", "\n"]),
  guard("keep what nothing holds any more", "memoryRows", [
    "if (history.holds.delete(name)) updateHolds(history)",
    "history.holds.delete(name)"
  ]),
  guard(
    "take a key without a value for one of seq 0",
    "memoryScan",
    ['stateSeqOf(history.state, key)) ?? "absent"', "stateSeqOf(history.state, key)) ?? 0"],
    seqs
  ),
  guard(
    "judge a seq by the log alone, and not by earlier entries of the commit",
    "judge",
    ["earlier.get(key) ?? log.seqOf(key)", "log.seqOf(key)"],
    seqs
  ),
  guard(
    "keep the seq of a key that an earlier entry deletes",
    "judge",
    ['change._tag === "Put" ? seq : "absent"', "seq"],
    seqs
  ),
  guard("keep the seq of a deleted key", "memoryState", ["    state.byKey.delete(key)\n", ""], seqs),
  guard("number no entry before the one that is judged", "judge", ["    seq++\n", ""], seqs),
  guard(
    "leave a changed key in its place",
    "memoryState",
    ["  unlink(state, kept)\n  link(state, kept)\n", ""],
    order
  )
]
