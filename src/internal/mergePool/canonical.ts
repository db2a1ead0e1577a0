/** The one text of a JSON value: keys in order of their code units, and no -0. Equal values have equal texts. */
import type { Json, JsonObject } from "../columns/jsonData.js"

const ofObject = (value: JsonObject): string => {
  const keys = Object.keys(value).sort()
  let text = ""
  for (const key of keys) {
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonical(value[key]!)}`
  }
  return `{${text}}`
}

/** Encodes a value. -0 is 0, as `JSON.stringify` has it. */
export const canonical = (value: Json): string =>
  typeof value !== "object" || value === null
    ? JSON.stringify(value)
    : Array.isArray(value)
      ? `[${value.map(canonical).join()}]`
      : ofObject(value as JsonObject)

/** Orders two values by their texts: the larger one wins where nothing else decides. */
export const isLarger = (value: Json, than: Json): boolean => canonical(value) > canonical(than)
