/** All laws of joins, and how a join is held against them. */
import { Effect } from "effect"
import * as FastCheck from "effect/FastCheck"
import { canonicalText } from "../../../internal/columns/canonicalText.js"
import { jsonProblem, ownJson } from "../../../internal/columns/jsonData.js"
import { describeError } from "../calls.js"
import { type Kit, lawMaker, type Trial } from "../law.js"
import { runnerOf } from "../report.js"
import {
  lacks,
  type MergeGroup,
  type MergeLaw,
  type MergeNeed,
  type MergeSubject,
  type MergeSubjects
} from "./subject.js"

const law = lawMaker<MergeSubjects, MergeNeed, MergeGroup>()

/** Returns the canonical text of a value as it is encoded. Throws if that is no JSON. */
const textOf = <A>({ encode }: MergeSubject<A>, value: A): string => {
  const own = ownJson(encode(value))
  if (typeof own === "string") throw new TypeError(`a value encodes to what is no JSON: ${jsonProblem[own]}`)
  return canonicalText(own.value)
}

/** Returns a copy of a value, as another process has it. */
const copyOf = <A>(subject: MergeSubject<A>, value: A): A =>
  // What decodes takes JSON.
  subject.decode(JSON.parse(textOf(subject, value)) as never)

/** Returns what is wrong with some values, or `undefined`. It may throw. */
type Find = <A>(subject: MergeSubject<A>, values: ReadonlyArray<A>) => string | undefined

const tryFind = <A>(find: Find, subject: MergeSubject<A>, values: ReadonlyArray<A>): string | undefined => {
  try {
    return find(subject, values)
  } catch (error) {
    return `it throws: ${describeError(error)}`
  }
}

const shown = <A>(subject: MergeSubject<A>, value: A): string => {
  try {
    return textOf(subject, value)
  } catch {
    return String(value)
  }
}

/** What is wrong with what a join gives, if it cannot be decoded: it would be kept, and read no more. */
const decodeProblem = <A>(subject: MergeSubject<A>, joined: A): string | undefined => {
  try {
    copyOf(subject, joined)
    return undefined
  } catch (error) {
    return `joining both gives ${shown(subject, joined)}, which cannot be decoded: ${describeError(error)}`
  }
}

/** Looks for values that break a law, and describes the smallest that were found. */
const smallest = <A>(
  { samples, seed, subject }: Trial<MergeSubject<A>>,
  count: number,
  find: Find
): string | undefined => {
  // Each property gets copies: a join that changes what it gets changes no other example.
  const values = FastCheck.array(subject.values, { minLength: count, maxLength: count })
  const property = FastCheck.property(values, (drawn) => tryFind(find, subject, drawn) === undefined)
  const { counterexample, failed } = FastCheck.check(property, { seed, numRuns: samples })
  const [example] = counterexample ?? []
  if (!failed || example === undefined) return undefined
  const of = example.map((value) => shown(subject, value)).join(" and ")
  return `of ${of}: ${tryFind(find, subject, example) ?? "it breaks once, and then not: it depends on more than its arguments"}`
}

/** Makes a law that holds for so many values. */
const forValues = (data: Parameters<typeof law>[0], count: number, find: Find): MergeLaw =>
  law(data, (trial) =>
    Effect.suspend(() => {
      const problem = smallest(trial, count, find)
      return problem === undefined ? Effect.void : Effect.fail(problem)
    })
  )

const differs = <A>(subject: MergeSubject<A>, what: string, one: A, other: A): string | undefined => {
  const [a, b] = [textOf(subject, one), textOf(subject, other)]
  return a === b ? undefined : `${what} gives ${a} one way, and ${b} the other`
}

const copies = <A>(subject: MergeSubject<A>, values: ReadonlyArray<A>): readonly [A, A, A] => {
  const [a, b, c] = values.map((value) => copyOf(subject, value))
  // A law of fewer values looks at no more.
  return [a as A, b as A, c as A]
}

/** Every law. */
export const mergeLaws: ReadonlyArray<MergeLaw> = [
  forValues(
    {
      id: "M1",
      name: "joins-commute",
      group: "joining",
      statement: "Joining a with b gives what joining b with a gives.",
      advice: "Let the join prefer a value for what it is, and never for its place"
    },
    2,
    (subject, values) => {
      const [a, b] = copies(subject, values)
      const [x, y] = copies(subject, values)
      return differs(subject, "joining both", subject.join(a, b), subject.join(y, x))
    }
  ),
  forValues(
    {
      id: "M2",
      name: "joins-associate",
      group: "joining",
      statement: "Of three values it does not matter which two are joined first.",
      advice: "Keep in the value all that later joins need: an average, for one, has no join"
    },
    3,
    (subject, values) => {
      const { join } = subject
      const [a, b, c] = copies(subject, values)
      const [x, y, z] = copies(subject, values)
      return differs(subject, "joining all three", join(join(a, b), c), join(x, join(y, z)))
    }
  ),
  forValues(
    {
      id: "M3",
      name: "joins-are-idempotent",
      group: "joining",
      statement: "Joining a value with itself, or once more with what it was joined with, gives that value.",
      advice:
        "Add nothing up: a value comes as often as a network repeats it; a `counter` has a part a client"
    },
    2,
    (subject, values) => {
      const { join } = subject
      const [a, b] = copies(subject, values)
      const [again] = copies(subject, values)
      const itself = differs(
        subject,
        "joining the first with itself",
        join(a, again),
        copies(subject, values)[0]
      )
      if (itself !== undefined) return itself
      const [x, y] = copies(subject, values)
      const once = join(copies(subject, values)[0], b)
      return differs(
        subject,
        "joining the second once more",
        join(join(x, y), copies(subject, values)[1]),
        once
      )
    }
  ),
  forValues(
    {
      id: "M4",
      name: "arguments-stay-as-they-are",
      group: "purity",
      statement: "A join changes neither of its arguments.",
      advice: "Return a new value where the result is neither of both"
    },
    2,
    (subject, values) => {
      const [a, b] = copies(subject, values)
      const before = [textOf(subject, a), textOf(subject, b)]
      subject.join(a, b)
      const after = [textOf(subject, a), textOf(subject, b)]
      const changed = before.findIndex((text, i) => text !== after[i])
      return changed < 0 ? undefined : `the join has made ${after[changed]} of ${before[changed]}`
    }
  ),
  forValues(
    {
      id: "M5",
      name: "same-values-same-join",
      group: "purity",
      statement: "The same values give the same join each time.",
      advice: "Let the join use no clock, no chance and no variable outside of it"
    },
    2,
    (subject, values) => {
      const [a, b] = copies(subject, values)
      const [x, y] = copies(subject, values)
      return differs(subject, "joining both twice", subject.join(a, b), subject.join(x, y))
    }
  ),
  forValues(
    {
      id: "M6",
      name: "encoding-is-stable",
      group: "encoding",
      statement: "A value, and what a join gives, is encoded alike after it was encoded and decoded.",
      advice: "Encode to JSON, each value in one way only: sort what has no order, round what is rounded"
    },
    2,
    (subject, values) => {
      const [a, b] = values
      // There are two.
      const joined = subject.join(...(copies(subject, values).slice(0, 2) as [never, never]))
      const undecoded = decodeProblem(subject, joined)
      if (undecoded !== undefined) return undecoded
      const all = [a as never, b as never, joined]
      for (const value of all) {
        const problem = differs(
          subject,
          "encoding before and after it was decoded",
          value,
          copyOf(subject, value)
        )
        if (problem !== undefined) return problem
      }
      return undefined
    }
  )
]

/** The laws of joins. No need is ever lacked. */
export const mergeKit: Kit<MergeSubjects, MergeNeed, MergeGroup> = { laws: mergeLaws, lacks }

/** Holds a join against every law. */
export const runMergeLaws = runnerOf(mergeKit)
