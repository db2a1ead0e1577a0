/** `src/testing/LAWS.md`, made of the laws. `npm run laws` writes it. */
import { writeFileSync } from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as ChangeLogLaws from "../../src/testing/ChangeLogLaws.js"
import * as DatastoreLaws from "../../src/testing/DatastoreLaws.js"
import * as MergeLaws from "../../src/testing/MergeLaws.js"
import * as ProjectionLaws from "../../src/testing/ProjectionLaws.js"
import * as StorageLaws from "../../src/testing/StorageLaws.js"
import * as TableLaws from "../../src/testing/TableLaws.js"
import * as TierLaws from "../../src/testing/TierLaws.js"
import {
  accountLaws,
  actorLaws,
  liveTableLaws,
  poolLaws,
  projectionLaws,
  retired,
  storeLaws,
  type TestedLaw,
  watchLaws
} from "../laws/laws.js"
import { root } from "../support/project.js"

export const page = "src/testing/LAWS.md"

interface Kit {
  readonly title: string
  readonly about: ReadonlyArray<string>
  readonly laws: ReadonlyArray<
    | StorageLaws.Law
    | ChangeLogLaws.Law
    | TableLaws.Law
    | TierLaws.Law
    | ProjectionLaws.Law
    | DatastoreLaws.Law
    | MergeLaws.Law
  >
}

const kits: ReadonlyArray<Kit> = [
  {
    title: "Storages",
    about: [
      "`storageLaws` of `effect-recorder/testing/vitest` makes a test of every law for a storage of your own, and",
      "`StorageLaws.run` of `effect-recorder/testing/StorageLaws` holds it against them without a test runner."
    ],
    laws: StorageLaws.laws
  },
  {
    title: "Change logs",
    about: [
      "The same for a change log of your own: `changeLogLaws` of `effect-recorder/testing/vitest`, and",
      "`ChangeLogLaws.run` of `effect-recorder/testing/ChangeLogLaws`."
    ],
    laws: ChangeLogLaws.laws
  },
  {
    title: "Tables",
    about: [
      "The same for a table of your own: `tableLaws` of `effect-recorder/testing/vitest`, and `TableLaws.run` of",
      "`effect-recorder/testing/TableLaws`."
    ],
    laws: TableLaws.laws
  },
  {
    title: "Tiers",
    about: [
      "The same for a tier of your own: `tierLaws` of `effect-recorder/testing/vitest`, and `TierLaws.run` of",
      "`effect-recorder/testing/TierLaws`."
    ],
    laws: TierLaws.laws
  },
  {
    title: "Projections",
    about: [
      "The same for a definition of your own: `projectionLaws` of `effect-recorder/testing/vitest`, and",
      "`ProjectionLaws.run` of `effect-recorder/testing/ProjectionLaws`."
    ],
    laws: ProjectionLaws.laws
  },
  {
    title: "Backends of permanent stores",
    about: [
      "The same for a backend of your own: `datastoreLaws` of `effect-recorder/testing/vitest`, and `DatastoreLaws.run` of",
      "`effect-recorder/testing/DatastoreLaws`."
    ],
    laws: DatastoreLaws.laws
  },
  {
    title: "Joins",
    about: [
      "The same for a join of your own, as the strategy `custom` takes it: `mergeLaws` of `effect-recorder/testing/vitest`,",
      "and `MergeLaws.run` of `effect-recorder/testing/MergeLaws`."
    ],
    laws: MergeLaws.laws
  }
]

interface Part {
  readonly title: string
  readonly about: string
  readonly laws: ReadonlyArray<TestedLaw>
}

const parts: ReadonlyArray<Part> = [
  {
    title: "The account of a recorder",
    about: "Held under random schedules of calls, faults, interruptions and ends, over every backend.",
    laws: accountLaws
  },
  {
    title: "Watchers",
    about: "Held under random histories of writers, readers, compactions, renewals and faults.",
    laws: watchLaws
  },
  {
    title: "Actors",
    about: "Held by the tests of the runtime that all parts are built on.",
    laws: actorLaws
  },
  {
    title: "Live tables",
    about: "Held under random tables, queries, changes and writes.",
    laws: liveTableLaws
  },
  {
    title: "Projections",
    about:
      "Held under random schedules of writers, readers, removals, renewals, backups, faults, time and restarts.",
    laws: projectionLaws
  },
  {
    title: "Stores",
    about:
      "Held under random clients, followers and rights, over stores in memory and permanent ones on a backend in memory.",
    laws: storeLaws
  },
  {
    title: "Pools",
    about: "Held under random edits, orders, cuts and stamps that meet, over the core of server and clients.",
    laws: poolLaws
  }
]

/** Every law that has a number. */
export const allLaws: ReadonlyArray<{ readonly id: string; readonly name: string }> = [
  ...kits.flatMap(({ laws }) => laws),
  ...parts.flatMap(({ laws }) => laws)
]

const cell = (text: string): string => text.replaceAll("|", "\\|")

const row = (...cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`

const groupsOf = ({ laws }: Kit): ReadonlyArray<string> =>
  [...new Set(laws.map(({ group }) => group))].flatMap((group) => [
    "",
    `### ${group[0]?.toUpperCase()}${group.slice(1)}`,
    "",
    "| number | name | law | when it is broken |",
    "| --- | --- | --- | --- |",
    ...laws
      .filter((law) => law.group === group)
      .map(({ advice, id, name, statement }) => row(id, `\`${name}\``, statement, `${advice}.`))
  ])

const kitSection = (kit: Kit): ReadonlyArray<string> => [
  "",
  `## ${kit.title}`,
  "",
  ...kit.about,
  ...groupsOf(kit)
]

const partSection = ({ about, laws, title }: Part): ReadonlyArray<string> => [
  "",
  `## ${title}`,
  "",
  about,
  "",
  "| number | name | law | proved by |",
  "| --- | --- | --- | --- |",
  ...laws.map(({ id, name, provedBy, statement }) =>
    row(id, `\`${name}\``, statement, provedBy.map((file) => `\`${file}\``).join(", "))
  )
]

/** The page as it must be. */
export const lawsPage = (): string =>
  [
    "# Laws",
    "",
    "`npm run laws` writes this page from the laws themselves. Tests cite a law by its number. A number never changes,",
    "and is never given to another law.",
    ...kits.flatMap(kitSection),
    ...parts.flatMap(partSection),
    ...(retired.length === 0 ? [] : ["", `Retired numbers: ${retired.join(", ")}.`]),
    ""
  ].join("\n")

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  writeFileSync(path.join(root, page), lawsPage())
}
