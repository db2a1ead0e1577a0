/** Checks writes against a definition. The checked form is a copy with normalised values. */
import { Either } from "effect"
import { checkCondition } from "./checkCondition.js"
import { compileCheckFields, compileCheckRow, compileNormalise, type Reason } from "./checkRow.js"
import { compileNormalId, type IdValue, isReason } from "./ids.js"
import type { AnyCondition, InvalidQuery } from "./query.js"
import type { AnyRow } from "./rowCodec.js"
import type { AnyDefinition } from "./writes.js"

/** A write that its table can never do. */
export interface InvalidWrite {
  readonly _tag: "InvalidWrite"
  readonly message: string
  readonly cause: Reason | InvalidQuery | undefined
}

/** A checked write, without the types of its columns: a `Write` whose rows are whole and whose ids are normal. */
export type CheckedWrite =
  | { readonly _tag: "Insert" | "Replace"; readonly row: AnyRow }
  | {
      readonly _tag: "Patch"
      readonly id: IdValue
      readonly fields: AnyRow
      readonly when?: AnyCondition | undefined
    }
  | { readonly _tag: "Delete"; readonly id: IdValue; readonly when?: AnyCondition | undefined }
  | { readonly _tag: "DeleteAll" }

const invalid = (message: string, cause?: Reason | InvalidQuery): InvalidWrite => ({
  _tag: "InvalidWrite",
  message,
  cause
})

/** Returns the id of a checked write; none of a `DeleteAll`. */
export const idOfWrite = (id: string, write: CheckedWrite): IdValue | undefined => {
  switch (write._tag) {
    case "Insert":
    case "Replace":
      // The row was checked: it has an id, in normal form.
      return write.row[id] as IdValue
    case "DeleteAll":
      return undefined
    default:
      return write.id
  }
}

interface Unchecked {
  readonly [key: string]: unknown
}

/** Compiles the check of writes: the checked write, or why there is none. It never throws. */
export const compileCheckWrite = ({
  columns,
  id
}: AnyDefinition): ((write: unknown) => CheckedWrite | InvalidWrite) => {
  const checkRow = compileCheckRow(columns, id)
  const checkFields = compileCheckFields(columns, id)
  const normalise = compileNormalise(columns)
  const normalId = compileNormalId(columns, id)

  const whole = (_tag: "Insert" | "Replace", row: unknown): CheckedWrite | InvalidWrite => {
    const reason = checkRow(row)
    // What passes the check is an object.
    return reason === undefined ? { _tag, row: normalise(row as object) } : invalid(reason.message, reason)
  }

  const conditional = (
    write: Unchecked,
    make: (id: IdValue, when: { readonly when?: AnyCondition }) => CheckedWrite | InvalidWrite
  ): CheckedWrite | InvalidWrite => {
    const normal = normalId(write.id)
    if (isReason(normal)) return invalid(normal.message, normal)
    if (write.when === undefined) return make(normal, {})
    return Either.match(checkCondition(columns, write.when), {
      onLeft: (error) => invalid(`the condition of the write is not valid: ${error.message}`, error),
      onRight: (when) => make(normal, { when })
    })
  }

  const check = (write: Unchecked): CheckedWrite | InvalidWrite => {
    switch (write._tag) {
      case "Insert":
      case "Replace":
        return whole(write._tag, write.row)
      case "Patch":
        return conditional(write, (id, when) => {
          const fields = checkFields(write.fields)
          if (fields._tag === "Bad") return invalid(fields.reason.message, fields.reason)
          return Object.keys(fields.fields).length === 0
            ? invalid("a patch must set at least one column: it sets none")
            : { _tag: "Patch", id, fields: fields.fields, ...when }
        })
      case "Delete":
        return conditional(write, (id, when) => ({ _tag: "Delete", id, ...when }))
      case "DeleteAll":
        return { _tag: "DeleteAll" }
      default:
        return invalid("there is no such write: make it by the functions of Write")
    }
  }

  return (write) => {
    try {
      return check((write ?? {}) as Unchecked)
    } catch {
      return invalid("a property of the write cannot be read")
    }
  }
}
