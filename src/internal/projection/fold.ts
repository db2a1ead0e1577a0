/** Folds events into a state. A fold belongs to its maker; nothing else sees what it holds until its end. */
import type { Revision } from "../log/events.js"
import type { KeyEvent } from "../log/keyIndex.js"
import { forgottenKind, kindOfChange } from "../log/kinds.js"
import type { Decode } from "./decoder.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"

/** How a definition folds, compiled. */
export interface Folder<S, E> {
  /** Of the projection, for errors. */
  readonly name: string
  readonly decode: Decode<E>
  /** An initial state that the fold may change. */
  readonly initial: () => S
  readonly apply: (state: S, event: E) => S | undefined
}

/** A fold under way. Only this file writes it. */
export interface Fold<S> {
  readonly key: string
  /** `undefined` is none. */
  state: S | undefined
  /** The last event that was folded. */
  applied: Revision | undefined
  events: number
  erased: number
  /** Why it has no state, unless the key is forgotten later. */
  problem: ProjectionError | undefined
}

/** Begins a fold at a state, which it may change. */
export const begin = <S>(key: string, state: S | undefined, applied: Revision | undefined): Fold<S> => ({
  key,
  state,
  applied,
  events: 0,
  erased: 0,
  problem: undefined
})

const placeOf = ({ event, generation }: KeyEvent<EventValue>): string =>
  `the event ${generation} of the key, at revision ${event.revision.seq}`

const step = <S, E extends AnyEvent>(
  { apply, decode, initial, name }: Folder<S, E>,
  fold: Fold<S>,
  item: KeyEvent<EventValue>
): void => {
  const decoded = decode(item.event)
  if (decoded._tag === "Malformed") {
    const message = `${placeOf(item)}, cannot be read: ${decoded.problem}`
    fold.problem = new ProjectionError({
      reason: "Malformed",
      projection: name,
      key: fold.key,
      message,
      cause: decoded.cause
    })
    return
  }
  if (decoded._tag !== "Event") {
    fold.erased++
    return
  }
  try {
    fold.state = apply(fold.state === undefined ? initial() : fold.state, decoded.event)
  } catch (cause) {
    const message = `\`apply\` threw at ${placeOf(item)}, of kind ${JSON.stringify(decoded.event.kind)}: see the cause`
    fold.problem = new ProjectionError({ reason: "Fold", projection: name, key: fold.key, message, cause })
  }
}

/** Folds further events, in order. What is before the last event that forgets the key is not even decoded. */
export const add = <S, E extends AnyEvent>(
  folder: Folder<S, E>,
  fold: Fold<S>,
  events: ReadonlyArray<KeyEvent<EventValue>>
): void => {
  const last = events.at(-1)
  if (last === undefined) return
  let forgotten = events.length - 1
  while (
    forgotten >= 0 &&
    kindOfChange((events[forgotten] as KeyEvent<EventValue>).event) !== forgottenKind
  ) {
    forgotten--
  }
  if (forgotten >= 0) {
    fold.state = undefined
    fold.problem = undefined
  }
  for (let i = forgotten + 1; i < events.length && fold.problem === undefined; i++) {
    step(folder, fold, events[i] as KeyEvent<EventValue>)
  }
  fold.events += events.length
  fold.applied = last.event.revision
}
