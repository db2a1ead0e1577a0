/** How many bytes of memory a change takes. */
import type { Change } from "./events.js"

const deepest = 64

const estimate = (value: unknown, depth: number): number => {
  switch (typeof value) {
    case "string":
      return 2 * value.length
    case "object": {
      if (value === null || depth === deepest) return 8
      if (ArrayBuffer.isView(value)) return value.byteLength
      let bytes = 16
      if (Array.isArray(value)) for (const item of value) bytes += estimate(item, depth + 1)
      else {
        for (const key in value) {
          bytes += 2 * key.length + estimate((value as { readonly [key: string]: unknown })[key], depth + 1)
        }
      }
      return bytes
    }
    default:
      return 8
  }
}

/** Estimates the bytes of memory of a change of plain data: two for each UTF-16 unit, eight for a number. */
export const estimateSize = (change: Change<unknown>): number =>
  64 + 2 * change.key.length + (change._tag === "Put" ? estimate(change.value, 0) : 0)
