/** What strings are as Unicode: their order, their size, and whether they are well-formed. */

// UTF-16 puts U+E000-U+FFFF behind the surrogates, code points put them before.
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** Compares two well-formed strings by code point, as UTF-8 bytes compare: below 0, 0, or above 0. */
export const compareText = (a: string, b: string): number => {
  if (a === b) return 0
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Counts the bytes of a well-formed string in UTF-8. */
export const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A surrogate is half of a code point of 4 bytes: 2 bytes for each half.
    if (unit >= 0x80) bytes += unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

/** Whether a well-formed string has more bytes of UTF-8 than `max`. */
export const isLonger = (text: string, max: number): boolean =>
  // A code unit has at most 3 bytes.
  text.length * 3 > max && utf8Length(text) > max

/** Whether a string has no lone surrogate. */
export const isWellFormed = (text: string): boolean =>
  // Every supported runtime has it (Node 20); the ES2022 library that this compiles against does not declare it.
  (text as unknown as { readonly isWellFormed: () => boolean }).isWellFormed()

/** Up to this length a loop takes less time than two calls of the host. */
const shortText = 64

/** Whether a text is of ASCII without U+0000: then it has no fault, and as many bytes of UTF-8 as units. */
export const isPlainAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0 || unit >= 0x80) return false
  }
  return true
}

/** Returns what is wrong with a text that any database keeps, or `undefined`. `what` names it: "a key". */
export const validateText = (what: string, given: unknown): string | undefined => {
  if (typeof given !== "string") return `${what} must be a string`
  if (given.length <= shortText && isPlainAscii(given)) return undefined
  if (given.includes("\0")) return `${what} must not contain U+0000`
  return isWellFormed(given) ? undefined : `${what} must not contain a lone surrogate`
}
