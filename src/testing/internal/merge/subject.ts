/** What the laws of joins are held against. */
import * as FastCheck from "effect/FastCheck"
import type { TypeLambda } from "effect/HKT"
import { type Law, leftOutReasonOf } from "../law.js"

/** A join of values, with how they are encoded: what `custom` of a pool's strategies takes. */
export interface MergeJoin<in out A> {
  readonly name: string
  /** Joins two values, and changes neither. */
  readonly join: (a: A, b: A) => A
  /** Encodes a value as JSON. */
  readonly encode: (value: A) => unknown
  /** Decodes what JSON has made of an encoded value. */
  readonly decode: (data: never) => A
}

/** A join under test. Make it with `subject`. */
export interface MergeSubject<in out A> extends MergeJoin<A> {
  /** Draws values. It shrinks them, so that a broken law is shown by a small example. */
  readonly values: FastCheck.Arbitrary<A>
}

/** There is no need that a join can lack. */
export type MergeNeed = never

/** What the laws of one group are about. */
export type MergeGroup = "joining" | "purity" | "encoding"

/** The subjects of this kit, by the type of their values. */
export interface MergeSubjects extends TypeLambda {
  readonly type: MergeSubject<this["Target"]>
}

/** One law. */
export type MergeLaw = Law<MergeSubjects, MergeNeed, MergeGroup>

export const lacks = (): string | undefined => undefined

/** Why a law is left out for this join: it never is. */
export const mergeLeftOutReason = leftOutReasonOf<MergeSubjects, MergeNeed>(lacks)

/**
 * Makes a subject of a join and of values: all that it must join, or an arbitrary of `effect/FastCheck`, such as
 * `Arbitrary.make(schema)` gives.
 */
export const subject = <A>(
  { decode, encode, join, name }: MergeJoin<A>,
  values: FastCheck.Arbitrary<A> | readonly [A, ...ReadonlyArray<A>]
): MergeSubject<A> => ({
  name,
  join,
  encode,
  decode,
  values: "generate" in values ? values : FastCheck.constantFrom(...values)
})
