/** Wrong in what is saved, and in what is remembered. */
import { Effect } from "effect"
import type { Save, SaveOutcome } from "../../../src/internal/catalog/backend.js"
import type { Disk } from "../rightBackend.js"
import {
  answering,
  calling,
  decided,
  known,
  loading,
  locking,
  opening,
  saving,
  type WrongBackend
} from "./wrong.js"

const noRevision = { epoch: "", seq: 0, tag: 0 }

/** The saves of each store. */
const byStore = (batch: ReadonlyArray<Save>): ReadonlyArray<ReadonlyArray<Save>> => {
  const stores = [...new Set(batch.map(({ store }) => store))]
  return stores.map((id) => batch.filter(({ store }) => store === id))
}

const wrongSaving: ReadonlyArray<WrongBackend> = [
  answering(
    "answers every save with the head after the batch",
    (outcomes) => {
      const heads = outcomes.flatMap((outcome) => (outcome._tag === "Saved" ? [outcome.head] : []))
      const last = heads.reduce((a, b) => (a.seq > b.seq ? a : b), heads[0] ?? noRevision)
      return outcomes.map((outcome) => (outcome._tag === "Saved" ? { ...outcome, head: last } : outcome))
    },
    ["appends-in-order"]
  ),
  answering(
    "has no head where nothing was appended",
    (outcomes) =>
      outcomes.map((outcome) =>
        outcome._tag === "Saved" && outcome.revisions.length === 0
          ? { ...outcome, head: noRevision }
          : outcome
      ),
    ["appends-in-order", "nothing-appended"]
  ),
  locking("looks for no revision of its own", () => ({ logged: undefined }), ["finds-its-own-revision"]),
  calling(
    "saves when the save is made",
    ({ save }, disk) => ({
      save: (batch, token) =>
        disk.down ? save(batch, token) : Effect.runSyncExit(disk.backend.save(batch, token))
    }),
    ["saves-when-run"]
  ),
  calling(
    "saves the first 500 of a batch",
    ({ save }) => ({ save: (batch, token) => save(batch.slice(0, 500), token) }),
    ["many-in-a-batch"]
  ),
  calling(
    "saves store by store",
    ({ save }) => ({
      save: (batch, token) =>
        Effect.map(
          Effect.forEach(byStore(batch), (saves) =>
            Effect.map(save(saves, token), (outcomes) => saves.map((one, n) => [one, outcomes[n]!] as const))
          ),
          (all) => {
            const outcomes = new Map<Save, SaveOutcome>(all.flat())
            return batch.map((one) => outcomes.get(one)!)
          }
        )
    }),
    ["all-or-nothing", "shown-after-the-commit", "interrupted-saves"]
  ),
  calling(
    "shows a revision before its commit",
    ({ open, save }, disk) => {
      const pending = known(disk, "pending", () => new Set<object>())
      return {
        save: (batch, token) =>
          Effect.acquireUseRelease(
            Effect.sync(() => pending.add(batch)),
            () => save(batch, token),
            () => Effect.sync(() => pending.delete(batch))
          ),
        open: (stored) =>
          Effect.map(open(stored), (opened) => ({
            ...opened,
            log: {
              ...opened.log,
              read: (options) =>
                Effect.map(opened.log.read(options), (page) => {
                  const last = page.at(-1)
                  if (pending.size === 0 || last === undefined) return page
                  const revision = { ...last.revision, seq: last.revision.seq + 1, tag: 0 }
                  return [...page, { ...last, revision }]
                })
            }
          }))
      }
    },
    ["shown-after-the-commit"]
  ),
  calling(
    "goes on with a store that is broken",
    ({ save }) => ({
      save: (batch, token) =>
        Effect.flatMap(save(batch, token), (outcomes) => {
          const first = outcomes.findIndex(({ _tag }) => _tag === "Broken")
          const rest = batch.filter(({ store }, n) => n > first && store === batch[first]?.store)
          if (rest.length === 0) return Effect.succeed(outcomes)
          return Effect.map(save(rest, token), (more) =>
            outcomes.map((outcome, n) => more[rest.indexOf(batch[n]!)] ?? outcome)
          )
        })
    }),
    ["broken-stops-its-store"]
  )
]

const wrongOperations: ReadonlyArray<WrongBackend> = [
  locking(
    "remembers no content",
    ({ remembered }, { id }) => ({ remembered: remembered && id && { ...remembered, content: id.content } }),
    ["remembers-replies"]
  ),
  decided(
    "remembers no refusals",
    (decision) => (decision.revisions.length === 0 ? { revisions: [] } : decision),
    ["remembers-refusals", "hard-names"]
  ),
  loading("loads no replies", () => ({ operations: [] }), ["remembers-after-reopening", "floor-forgets"]),
  decided("forgets nothing", ({ floor: _, ...decision }) => decision, ["floor-forgets"]),
  saving(
    "compares clients without their case",
    ({ id }) => ({ id: id && { ...id, client: id.client.toLowerCase() } }),
    ["remembers-replies", "hard-names"]
  )
]

const isTidied = (disk: Disk): boolean => known(disk, "tidied", () => ({ yet: false })).yet

/** Does something else once a store was tidied. */
const tidied = (name: string, change: Parameters<typeof locking>[1], breaks: WrongBackend["breaks"]) =>
  calling(
    name,
    (_, disk) => {
      const { open, save } = locking(
        name,
        (locked, one, disk) => (isTidied(disk) ? change(locked, one, disk) : {}),
        breaks
      ).open(disk)
      const tidying = Effect.sync(() => (known(disk, "tidied", () => ({ yet: false })).yet = true))
      return {
        save,
        open: (stored) =>
          Effect.map(open(stored), (opened) => ({ ...opened, tidy: Effect.andThen(opened.tidy, tidying) }))
      }
    },
    breaks
  )

const wrongTidying: ReadonlyArray<WrongBackend> = [
  opening("tidies nothing", () => ({ tidy: Effect.void }), ["tidy-forgets", "tidy-bounds-clients"]),
  tidied("forgets what is younger, too", () => ({ remembered: undefined }), ["tidy-forgets"]),
  tidied("forgets replies, and raises no floor", ({ window }) => ({ window: { ...window, floor: 0 } }), [
    "tidy-forgets"
  ]),
  tidied("forgets the windows of all clients", () => ({ window: { top: 0, floor: 0 } }), [
    "tidy-forgets",
    "tidy-bounds-clients"
  ])
]

export const wrongInSaving: ReadonlyArray<WrongBackend> = [
  ...wrongSaving,
  ...wrongOperations,
  ...wrongTidying
]
