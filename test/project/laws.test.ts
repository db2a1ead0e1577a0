/** The laws are numbered for good, their tests cite the numbers, and the page that lists them is current. */
import { describe, expect, it } from "vitest"
import {
  accountLaws,
  actorLaws,
  liveTableLaws,
  poolLaws,
  projectionLaws,
  retired,
  storeLaws,
  watchLaws
} from "../laws/laws.js"
import { validators } from "../laws/watch/validators.js"
import { filesBelow, read } from "../support/project.js"
import { allLaws, lawsPage, page } from "./lawsPage.js"

/** The numbers that were ever given, by their letter. */
const numbersOf = (letter: string): ReadonlyArray<number> =>
  [...allLaws.map(({ id }) => id), ...retired]
    .filter((id) => id.startsWith(letter))
    .map((id) => Number(id.slice(1)))
    .sort((a, b) => a - b)

describe("the laws", () => {
  it("have numbers of their own, of which none is left out or given twice", () => {
    for (const [letter, least] of [
      ["S", 88],
      ["C", 47],
      ["B", 50],
      ["T", 29],
      ["A", 17],
      ["W", 14],
      ["R", 18],
      ["L", 11],
      ["P", 12],
      ["F", 6],
      ["D", 41],
      ["K", 5],
      ["J", 10],
      ["M", 6]
    ] as const) {
      const numbers = numbersOf(letter)
      expect(numbers, letter).toEqual(numbers.map((_, index) => index + 1))
      expect(numbers.length, letter).toBeGreaterThanOrEqual(least)
    }
    expect(allLaws.filter(({ id }) => !/^[SCBTAWRLPFDKMJ]\d+$/.test(id))).toEqual([])
  })

  it("are cited by the tests that prove them", () => {
    const uncited = [
      ...accountLaws,
      ...watchLaws,
      ...actorLaws,
      ...liveTableLaws,
      ...projectionLaws,
      ...storeLaws,
      ...poolLaws
    ].flatMap(({ id, name, provedBy }) =>
      provedBy.filter((file) => !cites(read(file), id, name)).map((file) => `${id} in ${file}`)
    )
    expect(uncited).toEqual([])
  })

  it("have a statement each that a title or a check cites", () => {
    const known = new Set([...allLaws.map(({ id }) => id), ...retired])
    const stated = [...filesBelow("test", /\.ts$/), ...filesBelow("src/testing", /\.ts$/)].flatMap((file) =>
      citedIn(read(file))
        .filter((id) => !known.has(id))
        .map((id) => `${id} in ${file}`)
    )
    expect(citedIn('it("L3-L8, L11: ')).toEqual(["L3", "L8", "L11"])
    expect(stated).toEqual([])
  })

  it("of a watch have a validator each", () => {
    const named: ReadonlyArray<string> = watchLaws.map(({ name }) => name)
    expect(Object.keys(validators).filter((name) => !named.includes(name))).toEqual([])
  })

  it(`are listed in ${page}, which \`npm run laws\` writes`, () => {
    expect(read(page)).toBe(lawsPage())
  })
})

/** The numbers before a colon, at the beginning of a text. */
const citedIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/["'`]((?:(?:, |-)?[SCBTAWRLPFDKMJ]\d+)+): /g)].flatMap(([, cited = ""]) =>
    cited.split(/, |-/)
  )

/** By the number; a validator is named as its law is, and its messages and titles take the number from the list. */
const cites = (text: string, id: string, name: string): boolean =>
  new RegExp(`["\`]${id}: `).test(text) || (text.includes("citationOf") && text.includes(name))
