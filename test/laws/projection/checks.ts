/** Holds what projections answer against what their log must hold. */
import { Cause, Exit, Option } from "effect"
import type * as Projection from "../../../src/Projection.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { type Appended, expected, isRelevant, lastOf, planted } from "./definitions.js"
import { endedAt, eventsOf, goneOf, isBefore, type Node, nodeOf } from "./model.js"
import { tierTimeout } from "./schedule.js"
import { type Answer, type Begun, processOf, type World } from "./world.js"

const happened = ({ begun, happened }: Answer, what: keyof Answer["happened"]): number =>
  happened[what] - begun.happened[what]

const textOf = ({ by, how, key }: Begun): string => `${how} read of ${key} by ${by}`

/** The law that a wrong state breaks. */
const lawOf = (world: World, { key }: Begun, events: ReadonlyArray<Appended>, words: string): string => {
  const numbers = words.match(/\d+/g)?.map(Number) ?? []
  if (numbers.includes(planted)) return "P5: nothing that a tier or a caller made up shows"
  const forgotten = lastOf(events, "forgotten")
  if (
    events.slice(0, Math.max(forgotten, 0)).some(({ kind, n }) => kind !== "forgotten" && numbers.includes(n))
  )
    return "P7: nothing of a forgotten key shows"
  if (goneOf(world.model, key) > 0) return "P4: no state is the fold of a part"
  return "P1: a state is the fold of all events of its key"
}

const checkState = (world: World, begun: Begun, node: Node, words: string): void => {
  const events = eventsOf(node, begun.key)
  const wanted = expected(begun.by, events)
  if (words === wanted) return
  ensureSame(words, wanted, `${lawOf(world, begun, events, words)}, ${textOf(begun)}`)
}

/** The head of an answer, as the model has it. */
const headOf = (world: World, answer: Answer, { head }: Projection.Outcome<unknown>): Node => {
  const node = nodeOf(world.model, head)
  const { epochs } = world.model
  const isStale = answer.begun.how.startsWith("stale")
  const some = isStale ? epochs : epochs.slice(-1 - (world.counts.renewals - answer.begun.happened.renewals))
  ensure(
    node !== undefined && some.includes(head.epoch),
    `P2: the head is one of the log, ${textOf(answer.begun)}`
  )
  return node as Node
}

const checkPosition = ({ begun }: Answer, node: Node, outcome: Projection.Outcome<unknown>): void => {
  const events = eventsOf(node, begun.key)
  ensureSame(outcome.generation, events.length, `P2: the generation is that of the state, ${textOf(begun)}`)
  const last = events.filter((event) => isRelevant(begun.by, event)).at(-1)
  const { applied, head } = outcome
  ensureSame(applied?.seq, last?.seq, `P2: the applied revision is that of the state, ${textOf(begun)}`)
  ensureSame(applied?.tag, last?.tag, `P2: the applied revision is that of the state, ${textOf(begun)}`)
  if (applied !== undefined) ensureSame(applied.epoch, head.epoch, "P6: it is of the epoch of the head")
}

/** The state is of a moment of the call. */
const checkFresh = (world: World, answer: Answer, node: Node): void => {
  const { begun } = answer
  if (happened(answer, "restores") > 0) return
  ensure(isBefore(begun.head, node), `P1: the state is of no moment before the call, ${textOf(begun)}`)
  ensure(isBefore(node, world.model.head), `P1: the state is of the log's present history, ${textOf(begun)}`)
}

const limitOf = ({ how }: Begun): number => (how.startsWith("stale ") ? Number(how.slice(6)) : 0)

const checkStale = (world: World, answer: Answer, node: Node): void => {
  const { askedAt, at, begun } = answer
  const limit = limitOf(begun)
  const text = `P3: a stale state is younger than its limit, ${textOf(begun)}`
  ensure(askedAt !== undefined && at - askedAt < limit, text)
  // Events that do not concern the projection make no state older.
  const isOver = eventsOf(world.model.head, begun.key)
    .slice(eventsOf(node, begun.key).length)
    .find((event) => isRelevant(begun.by, event))
  const next = isOver === undefined ? undefined : nodeOf(world.model, isOver as never)
  if (next?.parent !== undefined && isBefore(node, next)) {
    const ended = endedAt(world.model, next.parent)
    ensure(at - ended < limit, text)
  }
}

const cached = ["SlotHit", "SlotIncremental", "Tier", "TierIncremental"]

/** The lane is one that could have answered. */
const checkLane = (world: World, answer: Answer, outcome: Projection.Outcome<unknown>): void => {
  const { setting } = world
  const { begun } = answer
  const { applied, cache, freshness, stored, strategy } = outcome
  const ok = (holds: boolean): void =>
    ensure(
      holds,
      `P10: ${strategy} ${cache._tag} ${freshness} ${stored} could be the lane of the ${textOf(begun)}`
    )
  const hasTier = setting.tier && begun.how !== "transaction"
  const hasSlots = setting.slots > 0 && begun.how !== "transaction"
  const isFaulty = happened(answer, "tierFaults") > 0 || world.tier.faults > 0
  ok((strategy === "Empty") === (applied === undefined))
  ok((freshness === "NotApplicable") === (strategy === "Empty"))
  if (strategy.startsWith("Slot")) ok(hasSlots)
  if (strategy.startsWith("Tier") || strategy === "Replay") ok(hasTier)
  if (strategy === "Direct") ok(!hasTier)
  if (strategy.endsWith("Incremental")) ok(setting.incremental === "on" || goneOf(world.model, begun.key) > 0)
  ok((cache._tag === "Hit") === cached.includes(strategy))
  if (cache._tag === "Unavailable") ok(strategy === "Replay" && isFaulty)
  if (cache._tag === "Miss") ok(strategy === "Replay")
  if (stored === "PutFailed") ok(hasTier && isFaulty)
  if (stored === "NoSlots") ok(!hasTier && !hasSlots)
  if (["Empty", "SlotHit", "Tier"].includes(strategy)) ok(stored === "Skipped")
  if (freshness === "StaleAllowed") ok(strategy === "SlotHit" && limitOf(begun) > 0)
}

/** Notes the least that memory must have from now on. */
const noteKnown = (
  world: World,
  { begun }: Answer,
  node: Node,
  outcome: Projection.Outcome<unknown>
): void => {
  const { key } = begun
  const process = processOf(world, begun.by)
  const isPresent =
    begun.happened.restarts === world.counts.restarts[begun.by] &&
    isBefore(node, world.model.head) &&
    outcome.head.epoch === world.model.epochs.at(-1)
  if (!isPresent || begun.how === "transaction" || world.setting.slots < 3 || outcome.strategy === "Empty")
    return
  process.known.set(key, Math.max(process.known.get(key) ?? 0, outcome.generation))
}

const checkOutcome = (
  world: World,
  answer: Answer,
  outcome: Projection.Outcome<unknown>,
  words: string
): void => {
  const { begun } = answer
  const node = headOf(world, answer, outcome)
  checkState(world, begun, node, words)
  checkPosition(answer, node, outcome)
  checkLane(world, answer, outcome)
  if (outcome.freshness === "StaleAllowed") checkStale(world, answer, node)
  else checkFresh(world, answer, node)
  noteKnown(world, answer, node, outcome)
  const { revision } = begun
  if (revision === undefined || happened(answer, "restores") > 0) return
  const wanted = nodeOf(world.model, revision)
  const isReached = wanted !== undefined && isBefore(wanted, node)
  ensure(isReached || revision.seq < world.model.floor, `P1: the revision is reached, ${textOf(begun)}`)
}

/** The state is of a generation that the key had during the call, and it is another one than the caller's. */
const checkChanged = (
  world: World,
  answer: Answer,
  changed: { readonly generation: number; readonly words: string } | undefined
): void => {
  const { begun } = answer
  if (happened(answer, "restores") > 0) return
  const least = eventsOf(begun.head, begun.key).length
  const generation = changed?.generation ?? begun.generation
  const all = eventsOf(world.model.head, begun.key)
  ensure(
    generation >= least && generation <= all.length,
    `P2: the generation is of the call, ${textOf(begun)}`
  )
  if (changed === undefined) return
  ensure(generation !== begun.generation, `P2: it is another generation, ${textOf(begun)}`)
  // All events of a revision are there at once.
  const last = all[generation - 1]
  const node = last === undefined ? begun.head : nodeOf(world.model, last as never)
  checkState(world, begun, node as Node, changed.words)
}

/** Whether the projection could have been asked when the state could not be read. */
const mayBeMalformed = (world: World, { begun, head }: Answer): boolean => {
  for (let node: Node | undefined = world.model.head; node !== undefined; node = node.parent) {
    if (expected(begun.by, eventsOf(node, begun.key)) === "malformed") return true
    if (node === begun.head) break
  }
  return [begun.head, head].some((node) => expected(begun.by, eventsOf(node, begun.key)) === "malformed")
}

const mayTimeOut = ({ begun, head }: Answer): boolean =>
  begun.revision !== undefined && (begun.revision.seq > begun.head.seq || begun.revision.seq > head.seq)

/** A failure is typed, and has the reason that there was. */
const checkFailure = (world: World, answer: Answer, error: Projection.ProjectionError): void => {
  const { begun } = answer
  const ok = (holds: boolean, law: string): void =>
    ensure(holds, `${law}, ${textOf(begun)}: ${error.reason}, ${error.message}`)
  const fails = "P11: a call fails for a reason that there is"
  const restored = happened(answer, "restores") > 0
  switch (error.reason) {
    case "Compacted":
      ok(goneOf(world.model, begun.key) > 0 || restored, fails)
      if (!restored && happened(answer, "renewals") + happened(answer, "restarts") === 0) {
        const isKnown = begun.known > 0 && begun.known >= goneOf(world.model, begun.key)
        ok(!isKnown, "P4: a state above what is removed is the base")
      }
      return
    case "Malformed":
      ok(restored || mayBeMalformed(world, answer), fails)
      return
    case "Log":
      ok(happened(answer, "logFaults") + happened(answer, "restarts") > 0, fails)
      return
    case "TimedOut":
      ok(restored || mayTimeOut(answer), fails)
      return
    case "EpochChanged": {
      const isOther = begun.revision !== undefined && begun.revision.epoch !== world.model.epochs.at(-1)
      const isUnknown = begun.revision !== undefined && nodeOf(world.model, begun.revision) === undefined
      const isLost = begun.revision !== undefined && !isIn(world, begun.revision)
      ok(restored || isOther || isUnknown || isLost || happened(answer, "renewals") > 3, fails)
      return
    }
    default:
      ok(false, fails)
  }
}

const isIn = ({ model }: World, revision: { readonly seq: number; readonly tag: number }): boolean => {
  const node = nodeOf(model, revision as never)
  return node !== undefined && isBefore(node, model.head)
}

const check = (world: World, answer: Answer): void => {
  const { begun, exit } = answer
  if (Exit.isSuccess(exit)) {
    const { value } = exit
    if (value._tag === "Outcome") checkOutcome(world, answer, value.outcome, value.words)
    else checkChanged(world, answer, value.changed)
    return
  }
  const error = Cause.failureOption(exit.cause)
  ensure(Option.isSome(error), `P11: the ${textOf(begun)} is answered: ${Cause.pretty(exit.cause)}`)
  if (Option.isSome(error)) checkFailure(world, answer, error.value)
}

/** Checks what was answered since the last check. */
export const checkAnswers = (world: World): void => {
  for (const answer of world.answers.splice(0)) check(world, answer)
}

/** After so long every call of a tier that hangs is given up. */
export const longest = 10_000 + 4 * tierTimeout
