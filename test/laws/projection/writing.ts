/** Writers of a schedule's log: what they append, what they expect, and what they are answered. */
import { Effect, Either } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { changeOf, type Value } from "./definitions.js"
import { epochOf, eventsOf, grow, type NewEvent, type Node } from "./model.js"
import type { EventOf, Expects } from "./schedule.js"
import { millisOf, type World } from "./world.js"

type Entry = ChangeLog.Entry<Value>
type Committed = Either.Either<ChangeLog.CommitResult, ChangeLog.Conflict>

const entryOf = (events: ReadonlyArray<NewEvent>, more: Omit<Entry, "changes"> = {}): Entry => ({
  changes: events.map(({ key, kind, n }) => changeOf(key, kind, n)),
  ...more
})

const commit = (world: World, entries: ReadonlyArray<Entry>): Effect.Effect<Committed> =>
  world.backend.log.commit(entries).pipe(
    Effect.map((result): Committed => Either.right(result)),
    Effect.catchTag("Conflict", (conflict) => Effect.succeed<Committed>(Either.left(conflict))),
    Effect.orDie
  )

/** Notes a revision that the log has appended, and how to append it again to another copy of the log. */
const note = (
  world: World,
  revision: ChangeLog.Revision,
  entry: Entry,
  events: ReadonlyArray<NewEvent>
): void => {
  const { model, revisions, steps } = world
  ensureSame(revision.seq, model.head.seq + 1, "P9: revisions have no gaps")
  ensureSame(revision.epoch, epochOf(model), "P9: a revision is of the present epoch")
  grow(model, revision, events, millisOf(world))
  revisions.push(revision)
  const { changes, id } = entry
  steps.push((log) => log.commit([id === undefined ? { changes } : { changes, id }]))
}

/** Appends events as one revision. */
export const append = async (world: World, events: ReadonlyArray<NewEvent>): Promise<void> => {
  const entry = entryOf(events)
  note(world, await Effect.runPromise(world.backend.log.append(entry.changes)), entry, events)
}

/** Whether a revision after `node` has an event of the key and, if they are given, of the kinds. */
const cameAfter = (
  world: World,
  node: Node,
  key: string,
  kinds: ReadonlyArray<string> | undefined
): boolean =>
  eventsOf(world.model.head, key).some(
    ({ kind, seq }) => seq > node.seq && (kinds === undefined || kinds.includes(kind) || kind === "forgotten")
  )

const revisionOf = ({ model }: World, { seq, tag }: Node): ChangeLog.Revision => ({
  epoch: epochOf(model),
  seq,
  tag
})

/** An expectation, and whether the log must be so. */
const expectationOf = (
  world: World,
  { key }: EventOf,
  expects: Expects
): { readonly expect: ReadonlyArray<ChangeLog.Condition>; readonly isRight: boolean } => {
  const { floor, head } = world.model
  const generation = eventsOf(head, key).length
  const nothing = ChangeLog.key(key)
  switch (expects) {
    case "generation":
      return { expect: [{ key, generation }], isRight: true }
    case "wrong generation":
    case "known id":
      return {
        expect: [{ key, generation: generation + (world.n % 2 === 0 && generation > 0 ? -1 : 1) }],
        isRight: false
      }
    case "nothing":
      return {
        expect: [
          { key, generation },
          { nothing, after: revisionOf(world, head) }
        ],
        isRight: true
      }
    case "nothing since before":
    case "nothing of a kind": {
      const kinds = expects === "nothing of a kind" ? ["Noted"] : undefined
      const before = head.parent?.parent ?? head
      const isJudged = before.seq >= floor
      const after = revisionOf(world, before)
      return {
        expect: [{ nothing, after, ...(kinds && { kinds }) }],
        isRight: isJudged && !cameAfter(world, before, key, kinds)
      }
    }
  }
}

/** Commits two entries, of which the second one expects something: both are appended, or none. */
export const expectSomething = async (world: World, event: EventOf, expects: Expects): Promise<void> => {
  const { ids, model } = world
  const { expect, isRight } = expectationOf(world, event, expects)
  const known = expects === "known id" ? ids.at(-1) : undefined
  if (expects === "known id" && known === undefined) return
  const isHeld = known !== undefined && model.nodes.size > 0 && isIdHeld(world, known)
  const other = event.key === "a" ? "b" : "a"
  const first: NewEvent = { key: other, kind: "Noted", n: ++world.n }
  const second: NewEvent = { ...event, n: ++world.n }
  const id = known ?? `id ${world.n}`
  const entries = [entryOf([first]), entryOf([second], { id, expect })]
  const committed = await Effect.runPromise(commit(world, entries))
  const { head } = await Effect.runPromise(world.backend.log.head)
  if (Either.isLeft(committed)) {
    ensure(
      !isRight && !isHeld,
      `P9: ${expects}: a commit whose conditions hold, or are of a known id, succeeds`
    )
    ensureSame(committed.left.index, 1, "P9: a conflict names its entry")
    ensureSame(head.seq, model.head.seq, "P9: nothing of a commit in conflict is appended")
    return
  }
  ensure(isRight || isHeld, `P9: ${expects}: a commit whose conditions do not hold is a conflict`)
  const { duplicates, revisions } = committed.right
  ensureSame(duplicates, isHeld ? 1 : 0, "P9: a known id is a duplicate before its conditions are judged")
  for (const [at, revision] of revisions.entries()) {
    note(world, revision, entries[at] as Entry, [[first, second][at] as NewEvent])
  }
  if (!isHeld) ids.push(id)
  world.idRevisions.set(id, model.head)
}

/** An id is known for as long as the log holds its revision. */
const isIdHeld = ({ idRevisions, model }: World, id: string): boolean => {
  const node = idRevisions.get(id)
  if (node === undefined || node.seq <= model.floor) return false
  let at: Node | undefined = model.head
  while (at !== undefined && at.seq > node.seq) at = at.parent
  return at === node
}

/** Writers who have all read one generation: one of them wins. */
export const race = async (world: World, event: EventOf, writers: number): Promise<void> => {
  const { backend, model } = world
  const { key } = event
  const generation = eventsOf(model.head, key).length
  const events = Array.from({ length: writers }, (): NewEvent => ({ ...event, n: ++world.n }))
  const all = await Effect.runPromise(
    Effect.forEach(events, (one) => commit(world, [entryOf([one], { expect: [{ key, generation }] })]), {
      concurrency: "unbounded"
    })
  )
  const winners = all.flatMap((committed, at) => (Either.isRight(committed) ? [at] : []))
  ensureSame(winners.length, 1, "P9: one writer of a generation wins")
  const at = winners[0] as number
  const won = all[at] as Either.Right<ChangeLog.Conflict, ChangeLog.CommitResult>
  note(world, won.right.revisions[0] as ChangeLog.Revision, entryOf([events[at] as NewEvent]), [
    events[at] as NewEvent
  ])
  const { head } = await Effect.runPromise(backend.log.head)
  ensureSame(head.seq, model.head.seq, "P9: nothing of the others is appended")
}
