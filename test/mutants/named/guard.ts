import type { NamedMutant } from "../named.js"

/** Makes the guards of a part, which their names begin with: a file of src and a file of tests, by their short paths. */
export const guardsOf =
  (part: string) =>
  (
    name: string,
    file: string,
    [find, replace]: readonly [find: string, replace: string],
    [test, title]: readonly [test: string, title: string]
  ): NamedMutant => ({
    name: `${part}: ${name}`,
    file: `src/${file}.ts`,
    find,
    replace,
    test: { file: `test/${test}.test.ts`, name: title }
  })
