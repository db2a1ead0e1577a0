/** Rights that a test changes. */
import type * as Watch from "../../../src/Watch.js"

/** What is visible now, and how to change it; `asked` is how often it was asked for. */
export const changing = (visible: Watch.Visible<number> | undefined) => {
  let version = 1
  let now = visible
  let asked = 0
  const rights: Watch.Rights<number> = {
    version: () => version,
    visible: () => {
      asked++
      return now
    }
  }
  return {
    rights,
    asked: () => asked,
    to: (visible: Watch.Visible<number> | undefined) => {
      version++
      now = visible
    }
  }
}
