/** Guards of the series that ended parts leave in Effect's registry of metrics. */
import type { NamedMutant } from "../named.js"

const file = "src/internal/series.ts"
const test = (name: string) => ({ file: "test/internal/series.test.ts", name })

export const seriesGuards: ReadonlyArray<NamedMutant> = [
  {
    name: "keep the series of every name that was ever used",
    file,
    find: "  if (ended.size < 2 * maxEnded) return\n",
    replace: "  return\n",
    test: test("are kept for a hundred names")
  },
  {
    name: "remove the series of a name that is in use again",
    file,
    find: "    ended.delete(id)\n",
    replace: "",
    test: test("go on when the name is used again, and stay while it is in use")
  },
  {
    name: "end the series of a name with the first of two parts",
    file,
    find: "  if (left.open > 0) return\n",
    replace: "",
    test: test("go on when the name is used again, and stay while it is in use")
  },
  {
    name: "make removed series anew by a late update",
    file,
    find: "if (!own.isRemoved) metric",
    replace: "metric",
    test: test("end with the close of a recorder, and do not come back by what is asked of it later")
  }
]
