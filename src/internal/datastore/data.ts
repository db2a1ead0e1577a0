/** The data of records as callers have it, and as stores keep it: JSON. */
import { Either, Schema, SchemaAST } from "effect"
import type { JsonObject } from "../columns/jsonData.js"
import { fingerprint } from "../hash.js"
import type { JsonRow } from "./holding.js"
import type { Row } from "./operation.js"

/** How the records of a store are encoded. */
export interface Codec<A> {
  /** Tells schemas apart. */
  readonly fingerprint: string
  /** Encodes data, or returns why it cannot be. */
  readonly encode: (data: A) => Either.Either<unknown, string>
  /** Encodes the fields that a patch sets, or returns why they cannot be. */
  readonly encodePart: (fields: Partial<A>) => Either.Either<unknown, string>
  /** Returns why stored data is not as the schema has it, or `undefined`. */
  readonly problem: ((data: JsonObject) => string | undefined) | undefined
  /** Decodes a record that has no problem. Readers share the result. */
  readonly row: (row: JsonRow) => Row<A>
}

/** Data as it is: any JSON object. */
const plain: Codec<unknown> = {
  fingerprint: "",
  encode: Either.right,
  encodePart: Either.right,
  problem: undefined,
  row: (row) => row
}

const firstLine = (error: unknown): string => String(error).split("\n", 3).join(" ")

/**
 * Makes the schema of a part of the fields. Where fields have no schemas of their own, as behind a transformation of the
 * whole, a patch is of the encoded fields.
 */
const partOf = <A, I>(schema: Schema.Schema<A, I>): Schema.Schema<Partial<A>, unknown> => {
  const { ast } = schema
  const fields = SchemaAST.isRefinement(ast) ? ast.from : ast
  // It has the fields of A, each of which may be left out.
  return SchemaAST.isTypeLiteral(fields) || SchemaAST.isUnion(fields)
    ? Schema.make<Partial<A>, unknown>(SchemaAST.partial(fields))
    : (Schema.Unknown as unknown as Schema.Schema<Partial<A>, unknown>)
}

/** Makes the codec of a schema. */
export const codecOf = <A, I>(schema: Schema.Schema<A, I> | undefined): Codec<A> => {
  // Without a schema, A is JSON.
  if (schema === undefined) return plain as Codec<A>
  const encode = Schema.encodeEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  const encodePart = Schema.encodeEither(partOf(schema))
  /** By the shared record. What no record refers to any more is forgotten. */
  const decoded = new WeakMap<JsonRow, Row<A>>()
  const attempt = <B>(run: () => Either.Either<B, unknown>): Either.Either<B, string> =>
    Either.flatMap(Either.try({ try: run, catch: firstLine }), Either.mapLeft(firstLine))
  return {
    fingerprint: fingerprint(String(schema.ast)),
    encode: (data) => attempt(() => encode(data)),
    encodePart: (fields) => attempt(() => encodePart(fields)),
    problem: (data) => Either.getOrUndefined(Either.flip(attempt(() => decode(data)))),
    row: (row) => {
      const known = decoded.get(row)
      if (known !== undefined) return known
      // It was decoded when it was accepted.
      const made: Row<A> = Object.freeze({ ...row, data: Either.getOrThrow(decode(row.data)) })
      decoded.set(row, made)
      return made
    }
  }
}
