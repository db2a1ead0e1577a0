/** The canonical text of JSON: equal data has equal text, in every process. */
import type { Json, JsonObject } from "./jsonData.js"

const objectText = (object: JsonObject): string => {
  const keys = Object.keys(object).sort()
  let text = "{"
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string
    text += `${i === 0 ? "" : ","}${JSON.stringify(key)}:${canonicalText(object[key] as Json)}`
  }
  return `${text}}`
}

const arrayText = (array: ReadonlyArray<Json>): string => {
  let text = "["
  for (let i = 0; i < array.length; i++) text += (i === 0 ? "" : ",") + canonicalText(array[i] as Json)
  return `${text}]`
}

const isArray = (value: object): value is ReadonlyArray<Json> => Array.isArray(value)

/** Returns the text of JSON with the keys of objects in the order of their UTF-16 units, and -0 as 0. */
export const canonicalText = (value: Json): string => {
  if (typeof value === "number") return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return isArray(value) ? arrayText(value) : objectText(value)
}
