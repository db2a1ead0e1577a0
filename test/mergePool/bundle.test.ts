/** How large the replica is in a browser, and that it runs without Node.js. */
import { gzipSync } from "node:zlib"
import { build, type Metafile } from "esbuild"
import { describe, expect, it } from "vitest"
import { root } from "../support/project.js"

/** What a program takes of the package, bundled for a browser: a module of Node.js fails the build. */
const bundled = async (names: string, external: ReadonlyArray<string>) => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: `export { ${names} } from "./src/MergePool.ts"`, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    metafile: true,
    write: false,
    external: [...external]
  })
  const [output] = Object.values<Metafile["outputs"][string]>(metafile.outputs)
  return {
    gzip: gzipSync(outputFiles[0]!.contents, { level: 9 }).length,
    code: outputFiles[0]!.text,
    imports: [...new Set(output!.imports.map(({ path }) => path))],
    files: Object.entries(output!.inputs).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [file] : []
    )
  }
}

const strategies = "last, max, min, counter, set, custom"
const effect = ["effect", "effect/*"]

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`

describe("in a browser", () => {
  it("a replica is at most 12 KB of this package, and needs effect alone", async () => {
    const [replica, exchange, all] = await Promise.all([
      bundled(`replica, ${strategies}`, effect),
      bundled(`replica, exchange, ${strategies}`, effect),
      bundled(`replica, ${strategies}`, [])
    ])
    console.info(
      `gzip: a replica ${kilobytes(replica.gzip)}, with the exchange ${kilobytes(exchange.gzip)}, with effect ${kilobytes(all.gzip)}`
    )
    expect(replica.gzip).toBeLessThanOrEqual(12 * 1024)
    for (const { files, imports } of [replica, exchange]) {
      // Bundlers keep nearly all of it of "effect": with it a replica had 83 KB.
      expect(imports.filter((path) => !path.startsWith("effect/"))).toEqual([])
      expect(files.filter((file) => /catalog|lease|watch|\/pool[A-Z]/.test(file))).toEqual([
        "src/internal/mergePool/poolErrors.ts"
      ])
    }
    expect(all.gzip).toBeLessThanOrEqual(32 * 1024)
    expect(all.imports).toEqual([])
    expect(all.code).not.toMatch(/\brequire\("/)
  })
})
