/**
 * The series of a part in Effect's registry of metrics: one for each metric, labelled by the part's name. The registry
 * itself forgets nothing, so names that are made at run time, such as one for each tenant, would fill the memory.
 */
import { Context, Effect, Metric, type MetricKey, MetricLabel, MutableHashMap, type Scope } from "effect"

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

/** A metric, as far as its series are concerned. */
interface Updated<in In> {
  readonly unsafeUpdate: (input: In, labels: Labels) => void
}

/** The series of one opening of a part. */
export interface Series {
  /** Adds a label to that of the part's name. */
  readonly labelled: (key: string, value: string) => Labels
  /** Updates the part's series of a metric. It does nothing when the series are removed: it must not make them anew. */
  readonly update: <In>(metric: Updated<In>, input: In, labels?: Labels) => void
  /** The part has ended, and updates its metrics no more. The end of the scope does the same. */
  readonly end: () => void
}

/** What all parts with one name share. */
interface Named {
  readonly label: MetricLabel.MetricLabel
  readonly labels: Labels
  open: number
  isRemoved: boolean
}

interface State {
  /**
   * So many names of ended parts keep their series, for exporters that read the last counts later. Up to twice as many
   * do, so that one pass over the registry, which holds every metric of the process, serves as many names.
   */
  readonly maxEnded: number
  readonly named: Map<string, Named>
  /** Those of `named` that no part uses, the longest ended first. */
  readonly ended: Map<string, Named>
}

export const makeNames = (maxEnded: number): State => ({ maxEnded, named: new Map(), ended: new Map() })

/** The names of a process: as global as the registry of metrics is. Tests replace it to keep less. */
export class Names extends Context.Reference<Names>()("effect-recorder/internal/Series", {
  defaultValue: () => makeNames(100)
}) {}

type Registered = MutableHashMap.MutableHashMap<MetricKey.MetricKey.Untyped, unknown>

const isRegistered = (map: unknown): map is Registered =>
  typeof map === "object" && map !== null && Symbol.for("effect/MutableHashMap") in map

const idOf = (key: string, name: string): string => `${key}=${name}`

/** Removes all series of names by one pass over the registry. */
const removeSeries = (gone: ReadonlySet<string>): void => {
  // Effect has no call that removes a metric: its registry holds them in this private field.
  const { map } = Metric.globalMetricRegistry as unknown as { readonly map?: unknown }
  if (!isRegistered(map)) return
  for (const key of MutableHashMap.keys(map)) {
    const isOwn =
      key.name.startsWith("recorder_") && key.tags.some((tag) => gone.has(idOf(tag.key, tag.value)))
    if (isOwn) MutableHashMap.remove(map, key)
  }
}

const enter = ({ ended, named }: State, id: string, key: string, name: string): Named => {
  const known = named.get(id)
  if (known !== undefined) {
    known.open++
    ended.delete(id)
    return known
  }
  const label = MetricLabel.make(key, name)
  const made: Named = { label, labels: [label], open: 1, isRemoved: false }
  named.set(id, made)
  return made
}

const leave = ({ ended, maxEnded, named }: State, id: string, left: Named): void => {
  left.open--
  if (left.open > 0) return
  ended.set(id, left)
  if (ended.size < 2 * maxEnded) return
  const gone = new Set<string>()
  for (const [oldest, removed] of ended) {
    if (ended.size <= maxEnded) break
    ended.delete(oldest)
    named.delete(oldest)
    removed.isRemoved = true
    gone.add(oldest)
  }
  removeSeries(gone)
}

const opened = (state: State, key: string, name: string): Series => {
  const id = idOf(key, name)
  const own = enter(state, id, key, name)
  let isOpen = true
  return {
    labelled: (key, value) => [own.label, MetricLabel.make(key, value)],
    update: (metric, input, labels = own.labels) => {
      if (!own.isRemoved) metric.unsafeUpdate(input, labels)
    },
    end: () => {
      if (!isOpen) return
      isOpen = false
      leave(state, id, own)
    }
  }
}

/**
 * Opens the series of a part, labelled by `key`, such as `recorder`, and its name. They are removed from
 * the registry when 100 to 200 other names have ended after the last part with this name.
 */
export const open = (key: string, name: string): Effect.Effect<Series, never, Scope.Scope> =>
  Effect.flatMap(Names, (state) =>
    Effect.acquireRelease(
      Effect.sync(() => opened(state, key, name)),
      ({ end }) => Effect.sync(end)
    )
  )
