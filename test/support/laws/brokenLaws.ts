/** Which laws something breaks that was made wrong: it is held against the laws of their groups. */
import { Effect } from "effect"
import { expect } from "vitest"
import { inVirtualTime } from "./lawReport.js"
import { runs } from "./laws.js"

interface Held {
  readonly name: string
  readonly group: string
}

/**
 * Returns the names of the laws that are broken, in order. Held are the laws named in `breaks`, and the others of their
 * groups: a law that has nothing to do with them is kept by all wrong ones alike, and costs as much. With LAWS_RUNS all
 * laws are held.
 */
export const brokenOf = async <L extends Held>(
  laws: ReadonlyArray<L>,
  breaks: ReadonlyArray<string>,
  check: (law: L) => Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>
): Promise<ReadonlyArray<string>> => {
  const groups = new Set(laws.filter(({ name }) => breaks.includes(name)).map(({ group }) => group))
  const all = runs(1) > 1
  const held = all ? laws : laws.filter(({ group }) => groups.has(group))
  const results = await inVirtualTime(
    Effect.forEach(held, (law) => Effect.map(Effect.either(check(law)), (result) => ({ law, result })))
  )
  return results
    .flatMap(({ law: { name }, result }) => {
      if (result._tag === "Right" || result.left._tag !== "LawBroken") return []
      expect(result.left.message, name).toMatch(/^\S.+\. [A-Z].+/s)
      return [name]
    })
    .sort()
}
