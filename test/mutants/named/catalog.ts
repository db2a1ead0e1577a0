/** Guards of what saves stores and pools. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("catalog")

const inOrder = "internal/catalog/saveInOrder"
const ofSaving = (title: string) => ["catalog/saving", title] as const

export const catalogMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "store what waits behind a bad save",
    inOrder,
    ["for (const one of later) settle(waiting, one, error)", "void [later, error]"],
    ofSaving("that wait behind a bad one are not stored by a later commit")
  ),
  guard(
    "end stores by a failure that all of them meet",
    inOrder,
    ["return yield* outage(suspect.error)", "yield* convict(round, suspects)"],
    ofSaving("end no store while nothing at all can be stored (unknown)")
  ),
  guard(
    "take a commit before a failure for a proof",
    inOrder,
    ["(isBlamedItself(error) ? 0 : at)", "(isBlamedItself(error) ? 0 : at * 0)"],
    ofSaving("end no store by a failure that began after a commit, and has passed")
  ),
  guard(
    "let a decision that throws fail its commit",
    inOrder,
    ["decide: decideSafely(save)", "decide: save.decide"],
    ofSaving("end their store at one that cannot be stored (throws), and no other store")
  ),
  guard(
    "forget that an answer was lost",
    inOrder,
    ["item.mayBeStored = true", "item.mayBeStored = false"],
    ofSaving("may be stored where an answer was lost, also behind one that is bad")
  ),
  guard(
    "look for a bad save one by one",
    inOrder,
    ["const half = items.length >>> 1", "const half = 1"],
    ofSaving("find a bad one among many by halves")
  ),
  guard(
    "leave a save without an outcome",
    inOrder,
    [
      "for (const [index, item] of items.entries()) {\n    const outcome",
      "for (const [index, item] of items.entries()) {\n    if (outcomes[index] === undefined) continue\n    const outcome"
    ],
    ofSaving("end their store where the backend returns no outcome")
  ),
  guard(
    "settle a save twice",
    inOrder,
    ["  if (!drop(waiting, item)) return\n", "  drop(waiting, item)\n"],
    ofSaving("are not handed back once they are stored, though others of their batch are")
  ),
  guard(
    "leave what waits when nothing can be saved any more",
    "internal/catalog/saving",
    ["closeWithin(0))", "Effect.void)"],
    ofSaving("are handed back when nothing can be saved any more, and none is taken")
  )
]
