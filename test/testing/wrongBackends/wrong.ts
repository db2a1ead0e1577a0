/** What a wrong backend is, and the ways to one. */
import { Effect } from "effect"
import type {
  Backend,
  Broken,
  Decision,
  Loaded,
  Locked,
  OpenedStore,
  Save,
  SaveOutcome
} from "../../../src/internal/catalog/backend.js"
import { type Disk, right } from "../rightBackend.js"

/** A backend that breaks some laws. */
export interface WrongBackend {
  /** What it does. */
  readonly name: string
  /** The laws that it breaks. It keeps the others of their groups. */
  readonly breaks: ReadonlyArray<string>
  readonly open: (disk: Disk) => Backend
}

/** Differs in some calls. */
export const calling = (
  name: string,
  calls: (rightly: Backend, disk: Disk) => Partial<Backend>,
  breaks: ReadonlyArray<string>
): WrongBackend => ({
  name,
  breaks,
  open: (disk) => {
    const rightly = right(disk)
    return { ...rightly, ...calls(rightly, disk) }
  }
})

/** Differs in what its stores are when they are opened. */
export const opening = (
  name: string,
  change: (opened: OpenedStore, disk: Disk) => Partial<OpenedStore>,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  calling(
    name,
    ({ open }, disk) => ({
      open: (stored) => Effect.map(open(stored), (opened) => ({ ...opened, ...change(opened, disk) }))
    }),
    breaks
  )

/** Differs in what it loads. */
export const loading = (
  name: string,
  change: (loaded: Loaded) => Partial<Loaded>,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  opening(
    name,
    ({ load }) => ({ load: Effect.map(load, (loaded) => ({ ...loaded, ...change(loaded) })) }),
    breaks
  )

/** Differs in the saves that it gets. */
export const saving = (
  name: string,
  change: (save: Save, disk: Disk, batch: ReadonlyArray<Save>) => Partial<Save>,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  calling(
    name,
    ({ save }, disk) => ({
      save: (batch, token) =>
        Effect.suspend(() =>
          save(
            batch.map((one) => ({ ...one, ...change(one, disk, batch) })),
            token
          )
        )
    }),
    breaks
  )

/** Differs in what a decision sees. */
export const locking = (
  name: string,
  change: (locked: Locked, save: Save, disk: Disk) => Partial<Locked>,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  saving(
    name,
    (save, disk) => ({ decide: (locked) => save.decide({ ...locked, ...change(locked, save, disk) }) }),
    breaks
  )

/** Differs in what it makes of a decision. */
export const decided = (
  name: string,
  change: (decision: Decision) => Decision | Broken,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  saving(
    name,
    ({ decide }) => ({
      decide: (locked) => {
        const decision = decide(locked)
        return "_tag" in decision ? decision : change(decision)
      }
    }),
    breaks
  )

/** Differs in its outcomes. */
export const answering = (
  name: string,
  change: (outcomes: ReadonlyArray<SaveOutcome>) => ReadonlyArray<SaveOutcome>,
  breaks: ReadonlyArray<string>
): WrongBackend =>
  calling(name, ({ save }) => ({ save: (batch, token) => Effect.map(save(batch, token), change) }), breaks)

/** What a wrong backend has noted under a name, first `first`. */
export const known = <A>(disk: Disk, name: string, first: () => A): A => {
  if (!disk.notes.has(name)) disk.notes.set(name, first())
  return disk.notes.get(name) as A
}
