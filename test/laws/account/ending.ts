/** The end of a schedule, and the laws that hold of a closed recorder. */
import { Effect, Exit, Scope } from "effect"
import type { Outcome } from "../../../src/Storage.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { close, type Known, type Report, start, type World } from "./play.js"
import { closeDeadline, type Fault, type Setting } from "./schedule.js"

/** Closes it in the chosen way, or by a deadline when a storage never lets it. */
const end = async (world: World): Promise<Report> => {
  const { recorder, reports, sample, scope, time } = world
  const isOver = () => recorder.unsafeStats().pending === 0 && reports.length > 0
  const { end: way } = sample.setting
  if (way === "close") {
    close(world, recorder.close)
    await time.advance(60_000)
  } else if (way === "scope") {
    world.closing = true
    start(world, Scope.close(scope, Exit.void), () => undefined)
    await time.advance(closeDeadline + 100)
    ensure(isOver(), "A14: the scope ends within its deadline")
  }
  if (!isOver() || way === "closeWithin") {
    close(world, recorder.closeWithin(1000))
    await time.advance(1100)
    ensure(isOver(), "A14: closeWithin returns within its time and 100 ms")
  }
  const [report] = reports
  if (report === undefined) throw new Error("there is no report")
  for (const other of reports) ensure(other === report, "A14: all closers share one report")
  return report
}

/** What the reports say of the records that are not stored. */
interface Gone {
  readonly outcomes: ReadonlyMap<number, Outcome>
  readonly setAside: ReadonlySet<number>
}

const goneOf = ({ redriven, sample, sunk }: World, report: Report): Gone => {
  const outcomes = new Map<number, Outcome>()
  const setAside = [...report.setAside, ...sunk]
  for (const { outcome, record } of [...setAside, ...report.unsaved]) {
    ensure(!outcomes.has(record.id), `A4: record ${record.id} has one outcome`)
    outcomes.set(record.id, outcome)
  }
  const { released } = report.stats
  ensureSame(
    setAside.length + released,
    report.stats.setAside,
    "A4: each record set aside is named, or was released"
  )
  ensureSame(report.unsaved.length, report.stats.handedBack, "A4: each record handed back is named")
  const { maxHeld, sink } = sample.setting
  const sinkFailed = report.unsaved.filter(({ reason }) => reason === "SinkFailed")
  const held = sinkFailed.length + (sink === "none" ? report.setAside.length : 0)
  ensure(maxHeld === undefined || held <= maxHeld, "A5: no more are held than may be")
  if (released > 0 && redriven.count === 0) ensureSame(held, maxHeld, "A5: no more are released than must be")
  return { outcomes, setAside: new Set(setAside.map(({ record }) => record.id)) }
}

const acceptedOf = (world: World, { outcomes }: Gone): ReadonlyArray<Known> => {
  const { handed } = world.backend
  const drops = world.sample.setting.overflow?.startsWith("drop") ?? false
  const isAccepted = ({ atOnce, row, told }: Known): boolean => {
    if (told === "refused" || told === "Refused") return false
    // Who heard nothing and was not served at once waited for room: nothing is dropped then, so it left a trace.
    return atOnce || drops || handed.has(row.id) || outcomes.has(row.id)
  }
  const accepted = world.known.filter(isAccepted)
  const stats = world.recorder.unsafeStats()
  ensureSame(accepted.length, stats.accepted, "A6: accepted is what the callers were told")
  ensureSame(world.known.length - accepted.length, stats.refused, "A6: all others were refused")
  for (const { row } of world.known.filter((known) => !accepted.includes(known))) {
    ensure(!handed.has(row.id) && !outcomes.has(row.id), `A6: record ${row.id}, refused, is nowhere`)
  }
  return accepted
}

/** Partitions the accepted records by the account and by what the backend holds; gives the stored ones. */
const checkPartition = (
  world: World,
  { outcomes }: Gone,
  accepted: ReadonlyArray<Known>,
  held: ReadonlyArray<number>
): ReadonlySet<number> => {
  const stats = world.recorder.unsafeStats()
  const rest = accepted.map(({ row }) => row.id).filter((id) => !outcomes.has(id))
  const holds = new Set(held)
  const stored = new Set(rest.filter((id) => holds.has(id)))
  const nowhere = rest.filter((id) => !stored.has(id))
  const neverHanded = nowhere.filter((id) => !world.backend.handed.has(id))
  ensure(neverHanded.length >= stats.dropped, "A8: what was dropped was never handed to the storage")
  // Nobody names a record that was released. The backend may hold it, where the outcome of its save was unknown.
  const released = nowhere.length - stats.dropped + (stored.size - stats.stored)
  ensureSame(released, stats.released, "A8: what is nowhere was dropped, or released")
  ensure(stored.size >= stats.stored, "A7: the backend holds every stored record")
  ensureSame(holds.size, held.length, "A7: the backend holds each record once")
  for (const id of held) {
    ensure(
      stored.has(id) || outcomes.get(id) === "Unknown",
      `A7: record ${id}, held, is stored or of unknown outcome`
    )
  }
  return stored
}

/** Who waited for an outcome was told the one that the account has. */
const checkReceipts = async (
  world: World,
  { outcomes, setAside }: Gone,
  accepted: ReadonlyArray<Known>,
  stored: ReadonlySet<number>
): Promise<void> => {
  const { released } = world.recorder.unsafeStats()
  const holds = ({ row, told }: Known): boolean => {
    switch (told) {
      case "stored":
        return stored.has(row.id)
      case "Dropped":
        return !stored.has(row.id) && !outcomes.has(row.id)
      case "SetAside":
        return setAside.has(row.id) || world.redriven.count > 0 || (released > 0 && !outcomes.has(row.id))
      default:
        return (
          (released > 0 && !outcomes.has(row.id)) ||
          (outcomes.get(row.id) === (told === "OutcomeUnknown" ? "Unknown" : "NotStored") &&
            !setAside.has(row.id))
        )
    }
  }
  for (const known of accepted) {
    if (!known.durable || known.told === "nothing") continue
    ensure(holds(known), `A9: the receipt of record ${known.row.id} (${known.told}) says what became of it`)
  }
  for (const { id, seen } of world.receipts) {
    ensure((await seen).includes(id), `A9: record ${id} is there for others when its durable save is told`)
  }
}

const checkLoads = ({ known, loads, recorder, redriven }: World, stored: ReadonlySet<number>): void => {
  const { released } = recorder.unsafeStats()
  for (const { at, seen } of loads) {
    const present = new Set(seen)
    for (const { at: offered, atOnce, row } of known) {
      if (!atOnce) continue
      if (offered > at)
        ensure(!present.has(row.id), `A10: a load does not see record ${row.id}, saved after it`)
      else if (stored.has(row.id) && redriven.count === 0 && released === 0) {
        ensure(present.has(row.id), `A10: a load sees record ${row.id}, saved before it`)
      }
    }
  }
}

const neverCompared = ({ blame, kind }: Extract<Fault, { readonly do: "fail" }>): boolean =>
  blame === "backend" || (blame === undefined && (kind === "Transient" || kind === "Fatal"))

/** After so many hangs the next one is compared with other records: that is when the schedule of retries has ended, or later. */
const patience: Readonly<Record<Setting["retry"], number>> = { never: 1, twice: 2, spaced: 3, exponential: 3 }

/** Where nothing was compared or redriven, the backend holds the records in the order of their saves. */
const checkOrder = ({ known, redriven, sample }: World, held: ReadonlyArray<number>): void => {
  const { actions, faults, setting } = sample
  // What may be a matter of a record is compared with others, and so is a hang that goes on and on.
  const compares = (fault: Fault) => fault.do === "die" || (fault.do === "fail" && !neverCompared(fault))
  const hangs = faults.filter((fault) => fault.do === "hang").length
  const compared = faults.some(compares) || hangs > patience[setting.retry]
  const mended = actions.some((action) => action.do === "mend")
  if (compared || known.some(({ row }) => row.bad === "unknown" || (row.bad === "poison" && mended))) return
  if (redriven.count > 0 || setting.overflow === "suspend") return
  ensure(
    held.every((id, i) => i === 0 || (held[i - 1] as number) < id),
    "A12: records are stored in the order of their saves"
  )
}

/** Closes the recorder, and checks the account against all that is known from outside. */
export const checkEnd = async (world: World): Promise<void> => {
  const { backend, recorder, table, time, waiters } = world
  const report = await end(world)
  // A storage that was left behind may still answer: that changes nothing any more.
  await time.advance(5000)
  for (const fiber of waiters) ensure(fiber.unsafePoll() !== null, "A14: every waiter is answered")
  const stats = recorder.unsafeStats()
  ensureSame(backend.overlaps(), 0, "A13: calls of the storage never overlap")
  ensureSame(stats.pending, 0, "A14: nothing is pending after the close")
  for (const key of [
    "accepted",
    "stored",
    "setAside",
    "dropped",
    "handedBack",
    "duplicates",
    "released"
  ] as const) {
    ensureSame(report.stats[key], stats[key], `A14: the report tells of ${key}`)
  }
  // The database is in the host's time, not in that of the schedule.
  const held = await Effect.runPromise(table.peek)
  const gone = goneOf(world, report)
  const accepted = acceptedOf(world, gone)
  const stored = checkPartition(world, gone, accepted, held)
  await checkReceipts(world, gone, accepted, stored)
  checkLoads(world, stored)
  checkOrder(world, held)
  ensure(!recorder.unsafeSave({ id: -1, bad: "no" }), "A15: a closed recorder refuses")
  for (const error of world.broken) throw error
}
