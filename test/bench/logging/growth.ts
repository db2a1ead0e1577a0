/** What a record costs where there are more of them, and more recorders. */
import { nowhere, settled, turn, withRecorder } from "../support/recorders.js"
import { type Comparison, compare, cpuOf } from "./compare.js"

interface Small {
  readonly id: number
}

const burst = 10_000

/** Saves so many records in a row, and then waits, until there were `count` of them. */
const save = async (
  recorders: ReadonlyArray<{ readonly unsafeSave: (record: Small) => boolean }>,
  count: number,
  each: number,
  wait: () => Promise<void>
): Promise<void> => {
  for (let id = 0; id < count; ) {
    for (const end = Math.min(count, id + each); id < end; id++)
      recorders[id % recorders.length]?.unsafeSave({ id })
    await wait()
  }
}

/** Runs with so many recorders at once. */
const withMany = <A>(
  count: number,
  use: (
    recorders: ReadonlyArray<
      Parameters<typeof settled>[0] & { readonly unsafeSave: (record: Small) => boolean }
    >
  ) => Promise<A>,
  made: Parameters<typeof use>[0] = []
): Promise<A> =>
  made.length === count
    ? use(made)
    : withRecorder(nowhere<Small>(), { name: `recorder-${made.length}` }, (recorder) =>
        withMany(count, use, [...made, recorder])
      )

/** Measures the growth from 10,000 to `most` records, and from 1 recorder to 64. */
export const growth = async (comparison: Comparison, most: number): Promise<void> => {
  await withMany(1, async (recorders) => {
    const cost = (count: number) => () =>
      cpuOf(count, async () => {
        for (const recorder of recorders) await save([recorder], count, burst, () => settled(recorder))
      })
    const small = "10,000 records"
    const larger = `${most.toLocaleString("en-US")} records`
    await compare(
      comparison,
      "growth of the records, into a storage that does nothing: processor time, µs/record",
      { [small]: cost(burst), [larger]: cost(most) },
      { [larger]: "its bursts are the same; what begins and ends a measurement is spread over more of them" },
      small
    )
  })
  await withMany(64, (many) =>
    withMany(1, async (one) => {
      for (const each of [64, 640]) {
        const cost = (recorders: typeof many) => () =>
          cpuOf(each * 100, async () => {
            await save(recorders, each * 100, each, turn)
            for (const recorder of recorders) await settled(recorder)
          })
        await compare(
          comparison,
          `the same records in 1 or in 64 recorders, ${each} a turn: processor time, µs/record`,
          { "1 recorder": cost(one), "64 recorders": cost(many) },
          {},
          "1 recorder"
        )
      }
    })
  )
}
