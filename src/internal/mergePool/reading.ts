/** Reads foreign data, which may be anything: the first rule that it breaks is noted, and nothing throws. */
import { type Json, jsonProblem, ownJson } from "../columns/jsonData.js"
import { isStamp, noStamp, type Stamp } from "./stamp.js"

/** Why foreign data is refused. */
export type Problem = { readonly message: string } & (
  | { readonly reason: "InvalidData" | "JoinFailed" }
  | { readonly reason: "ClockAhead"; readonly stamp: Stamp }
)

/** One reading of foreign data. Only this file writes it: a result that is passed on would cost an object a value. */
export interface Reading {
  /** The first rule that was broken. */
  problem: Problem | undefined
  /** The largest stamp that was read. */
  latest: Stamp
  /** Stamps after this one are too far ahead. */
  readonly limit: Stamp
  /** The most bytes of a value, about. */
  readonly maxValueBytes: number
}

/** Notes a broken rule, if it is the first one. */
export const note = (reading: Reading, reason: "InvalidData" | "JoinFailed", message: string): void => {
  reading.problem ??= { reason, message }
}

const noteAhead = (reading: Reading, stamp: Stamp): void => {
  const message = "a stamp is too far ahead of the server's time: wait, or stamp the edits anew"
  reading.problem ??= { reason: "ClockAhead", message, stamp }
}

/** Reads a stamp. */
export const takeStamp = (reading: Reading, given: unknown): Stamp => {
  // Cells of one edit share their stamp.
  if (given === reading.latest && given !== noStamp) return reading.latest
  if (!isStamp(given)) {
    note(reading, "InvalidData", "a stamp is malformed: send stamps as the replica made them")
    return noStamp
  }
  if (given > reading.limit) noteAhead(reading, given)
  else if (given > reading.latest) reading.latest = given
  return given
}

/** Reads a stamp that may be missing. */
export const takeReset = (reading: Reading, given: unknown): Stamp =>
  given === noStamp ? noStamp : takeStamp(reading, given)

/** Reads a value of JSON: a copy that is frozen. */
export const takeJson = (reading: Reading, given: unknown): Json => {
  if (given === null || typeof given === "boolean") return given
  if (typeof given === "number" && Number.isFinite(given)) return given + 0
  return takeOwn(reading, given)
}

const takeOwn = (reading: Reading, given: unknown): Json => {
  try {
    const own = ownJson(given)
    if (typeof own === "string") note(reading, "InvalidData", jsonProblem[own])
    else if (own.bytes > reading.maxValueBytes) {
      const message = `a value must have at most ${reading.maxValueBytes} bytes: split it, or store it elsewhere`
      note(reading, "InvalidData", message)
    } else return own.value
  } catch {
    note(reading, "InvalidData", "a property of a value cannot be read: pass plain data")
  }
  return null
}

/** Reads a whole number that every process has alike. */
export const takeInteger = (reading: Reading, given: unknown): number => {
  if (Number.isSafeInteger(given)) return (given as number) + 0
  note(reading, "InvalidData", "a count must be a whole number between -(2^53 - 1) and 2^53 - 1")
  return 0
}

/** Reads a finite number. */
export const takeNumber = (reading: Reading, given: unknown): number => {
  if (typeof given === "number" && Number.isFinite(given)) return given + 0
  note(reading, "InvalidData", "a value must be a finite number")
  return 0
}

/** Notes that an edit is none of the field's strategy. */
export const noteEdit = (reading: Reading, kind: string, edits: string): void =>
  note(reading, "InvalidData", `a field with the strategy ${kind} is edited by ${edits} and Clear only`)
