/** Guards of the joins of pools, of their clock, and of the horizon. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("merge pool")

const core = (file: string): string => `internal/mergePool/${file}`
const law = (name: string) => ["laws/mergePool", name] as const
const inClock = (name: string) => ["mergePool/clock", name] as const
const inMerging = (name: string) => ["mergePool/merging", name] as const
const inHorizon = (name: string) => ["mergePool/horizon", name] as const
const inHandle = (name: string) => ["mergePool/replicaHandle", name] as const
const inReplica = (name: string) => ["mergePool/replica", name] as const

const joins: ReadonlyArray<NamedMutant> = [
  guard(
    "keep what came first of equal stamps",
    core("values"),
    ["a === b || compareText(canonicalText(a), canonicalText(b)) >= 0 ? a : b", "a"],
    inMerging("takes the larger canonical text of equal stamps, whatever comes first")
  ),
  guard(
    "keep what a join gives and its codec does not decode",
    core("values"),
    ["      decode(value)\n", ""],
    inMerging("refuses a patch whose join gives what its codec does not decode, as a whole")
  ),
  guard(
    "take an edit that does not join with what is shown",
    core("replica"),
    ["if (problem !== undefined) {", "if (problem === null) {"],
    inHandle("loses nothing by a join whose result its codec does not decode")
  ),
  guard(
    "read nothing where an edit does not join",
    core("replica"),
    ["    return cellOf(replica.confirmed, key, index)\n", '    throw new Error("it does not join")\n'],
    inHandle("loses nothing by a join whose result its codec does not decode")
  ),
  guard(
    "lose all that a replica holds by one cell that does not join",
    core("adopting"),
    [
      "return row === undefined || field === undefined ? [] : [{ row, field }]",
      "return row === field ? [] : []"
    ],
    inMerging("is all but the cell that does not join with that of the server")
  ),
  guard(
    "encode the keys of objects in the order of their making",
    "internal/columns/canonicalText",
    ["Object.keys(object).sort()", "Object.keys(object)"],
    inMerging("takes the larger canonical text of equal stamps, whatever comes first")
  ),
  guard(
    "join fields without their resets",
    core("cell"),
    ["if (a.reset !== b.reset) return a.reset < b.reset ? b : a", ""],
    inReplica("removes a row with what is shown of it, and rows without fields are none")
  ),
  guard(
    "take a field that was reset before",
    core("rowMerging"),
    ["  if (reset < heldReset) return\n", ""],
    law("is commutative")
  ),
  guard(
    "reset only the fields of a row that are held",
    core("rowMerging"),
    ["  if (reset > horizon) draft.reset = reset\n", ""],
    inMerging("of a row removes fields that were not seen, and a later write brings back itself alone")
  ),
  guard(
    "keep the fields of a row that is reset",
    core("rowMerging"),
    [
      "draft.cells = draft.cells.map((cell) => (goes(cell) ? undefined : cell))",
      "draft.cells = draft.cells.slice()"
    ],
    inMerging("of a row removes fields that were not seen, and a later write brings back itself alone")
  ),
  guard(
    "hold a removal that the row's own implies",
    core("rowMerging"),
    ["(reset <= draft.reset || reset <= merging.state.horizon)", "reset <= merging.state.horizon"],
    inHorizon("that a server has taken away is held no more, and its removal is not held either")
  ),
  guard(
    "add up a counter's parts of one client",
    core("counter"),
    [
      "join: (a, b) => joinRegisters(order, a, b)",
      "join: (a, b) => joinRegisters(order, a, b).map((part, i) => ({ ...part, sum: part.sum + (a[i] === part ? 0 : 1) }))"
    ],
    inMerging("counts what a client adds again and again once")
  ),
  guard(
    "let the removal of a member win over an addition that it has not seen",
    core("members"),
    [
      "a.stamp > b.stamp || (a.stamp === b.stamp && a.end > b.end)",
      "a.end > b.end || (a.end === b.end && a.stamp > b.stamp)"
    ],
    inMerging("keeps a member that is added while another client removes it")
  ),
  guard(
    "keep a dot that was removed elsewhere",
    core("members"),
    ["a.stamp > b.stamp || (a.stamp === b.stamp && a.end > b.end)", "a.stamp > b.stamp"],
    inReplica("shows at once, over what is confirmed, and stays as it is when it is confirmed")
  ),
  guard(
    "keep the newer of equal largest numbers here, the older one there",
    core("values"),
    ["(a.value === b.value && b.stamp < a.stamp)", "a.value === b.value"],
    inMerging("keeps of equal largest numbers the first write, whatever comes first")
  )
]

const atomic: ReadonlyArray<NamedMutant> = [
  guard(
    "let an edit die that is none",
    "internal/mergePool/edits",
    ["  } catch (error) {\n", "  } catch (error) {\n    if (error !== undefined) throw error\n"],
    [
      "mergePool/replicaHandle",
      "refuses fields that there are not, and what is no state, and stays as it was"
    ]
  ),
  guard(
    "join by last what should have had a strategy",
    "internal/mergePool/definition",
    ["  if (!isRecord(given)) return undefined\n", "  if (!isRecord(given)) return last()\n"],
    ["mergePool/types", "follow the strategies"]
  ),
  guard(
    "leave what came before the bad cell",
    core("merging"),
    ["    undo(state, merging.changes)\n", ""],
    law("that is refused leaves no trace, whatever came before the bad cell")
  ),
  guard(
    "note the stamps of a refused patch",
    core("merging"),
    [
      "  if (refused !== undefined) {\n",
      "  noteLatest(state, merging.reading.latest)\n  if (refused !== undefined) {\n"
    ],
    law("that is refused leaves no trace, whatever came before the bad cell")
  ),
  guard(
    "undo in the order of the changes",
    core("state"),
    ["for (let i = changes.length - 1; i >= 0; i--)", "for (let i = 0; i < changes.length; i++)"],
    law("that is refused leaves no trace, whatever came before the bad cell")
  ),
  guard(
    "take the stamps of others",
    core("rowMerging"),
    ["if (owner === undefined || isOf(stamp, owner)) return true", "return true"],
    inMerging("refuses a later part by the stamp of another client")
  ),
  guard(
    "take another value of a stamp of another client",
    core("rowMerging"),
    ["(isNewReset || strategy.resets) && !allows", "isNewReset && !allows"],
    inMerging("refuses another value of a held stamp by the stamp of another client")
  ),
  guard(
    "keep the sender's own object",
    core("reading"),
    ["else return own.value", "else return given as Json"],
    inMerging("keeps no part of a patch that its sender can change")
  ),
  guard(
    "take a count that no process has alike",
    core("reading"),
    ["if (Number.isSafeInteger(given))", 'if (typeof given === "number")'],
    inMerging("refuses a part of 2^53, with what to do, and leaves everything as it was")
  )
]

const clock: ReadonlyArray<NamedMutant> = [
  guard(
    "give each start of a program the same client ids",
    "internal/mergePool/newClient",
    ["globalThis.crypto.getRandomValues(new BigUint64Array(1))", "new BigUint64Array(1)"],
    ["mergePool/replicaHandle", "has an id that no other start has, however Effect's Random is seeded"]
  ),
  guard(
    "go back with the wall clock",
    core("clock"),
    ["if (now > clock.millis) {", "if (now !== clock.millis) {"],
    inClock("never goes back, also when the wall clock is set back by an hour")
  ),
  guard(
    "begin at 0 after a restart",
    core("clock"),
    ["  observe(clock, latest)\n  return clock\n", "  return clock\n"],
    inClock("goes on after the largest stamp that is held when a program starts again")
  ),
  guard(
    "begin the counter again within a millisecond",
    core("clock"),
    ["    clock.millis++\n    clock.counter = 0", "    clock.counter = 0"],
    inClock("carries a full counter into the milliseconds")
  ),
  guard(
    "run on the wall clock",
    core("clock"),
    ["wall + (offset ?? 0)", "wall"],
    inClock("runs on the server's time once that is known, whatever the wall clock shows")
  ),
  guard(
    "take any stamp from the future",
    core("reading"),
    ["if (given > reading.limit)", "if (false as boolean)"],
    inClock("is taken at the limit, and refused with the server's time beyond it")
  ),
  guard(
    "refuse the stamp at the limit",
    core("stamp"),
    ["zzzzEzzzzzzzzzz", "---------------"],
    inClock("is taken at the limit, and refused with the server's time beyond it")
  ),
  guard(
    "keep the clock ahead when edits are stamped anew",
    core("replica"),
    ["  setBack(clock, confirmed.latest)\n", ""],
    inReplica("are refused with the server's time, and taken in order when they are stamped anew")
  )
]

const horizon: ReadonlyArray<NamedMutant> = [
  guard(
    "take cells below the horizon",
    core("rowMerging"),
    ["if (stamp <= floor) {", "if (false as boolean) {"],
    inHorizon(
      "brings nothing back; what it wrote after the horizon arrives, and what it wrote before is handed out"
    )
  ),
  guard(
    "take the cell at the horizon",
    core("rowMerging"),
    ["if (stamp <= floor) {", "if (stamp < floor) {"],
    inHorizon("is refused with its name if it is not held: a write with the stamp of the horizon")
  ),
  guard(
    "forget a removal above the horizon",
    core("horizon"),
    ["const rest = reset <= horizon ? noStamp : reset", "const rest = noStamp"],
    inHorizon("forgets removals of rows, fields and members up to it, and keeps all else")
  ),
  guard(
    "hold a removal that was taken and that is forgotten",
    core("rowMerging"),
    ["floor === horizon || strategy.removals(joined) === 0", "true as boolean"],
    inHorizon("that a server has taken away is held no more, and its removal is not held either")
  ),
  guard(
    "keep members' removals for ever",
    core("horizon"),
    ["strategy.removals(cell.state) === 0", "strategy !== undefined"],
    inHorizon("forgets removals of rows, fields and members up to it, and keeps all else")
  ),
  guard(
    "hand nothing out of what was written before the horizon",
    core("replica"),
    [
      'if (made === undefined || "_tag" in made) left.push(each)',
      'if (made === undefined || "_tag" in made) continue'
    ],
    inHorizon(
      "brings nothing back; what it wrote after the horizon arrives, and what it wrote before is handed out"
    )
  ),
  guard(
    "send an edit with the reset that the server has forgotten",
    core("replica"),
    ["replica.pending.horizon === raised || replica.unsent.length === 0", "true as boolean"],
    inHorizon("adopts the horizon when it has followed all along, and drops the same removals")
  )
]

export const mergePoolMutants: ReadonlyArray<NamedMutant> = [...joins, ...atomic, ...clock, ...horizon]
