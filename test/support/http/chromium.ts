/** A real browser: a Chromium that is on this machine, without a window. */
import { existsSync } from "node:fs"
import { describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { chromium, type Page } from "playwright-core"

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

const given = process.env.CHROMIUM

/** Where it is; none: there is no browser here, or CHROMIUM=off. */
const chromiumPath =
  given === undefined || given === ""
    ? places.find((path) => existsSync(path))
    : given === "off"
      ? undefined
      : given

/** Tests that need a browser. Where there is none, one test says in its name that they are left out. */
export const describeInChromium = (name: string, body: () => void): void => {
  if (chromiumPath !== undefined) describe(`${name}, in Chromium`, { timeout: 120_000 }, body)
  else it(`${name}, in Chromium: left out, there is none (${places.join(", ")}, or CHROMIUM=path)`, () => {})
}

/** A page of a browser of its own, which is gone with the scope; `html` stands in for what the server would say. */
export const openPage = (url: string, html?: string): Effect.Effect<Page, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({
        executablePath: chromiumPath ?? "",
        // Without a sandbox it runs as root too; without the rest it looks for hosts that it does not need.
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
      })
    ),
    (browser) => Effect.promise(() => browser.close())
  ).pipe(
    Effect.flatMap((browser) =>
      Effect.promise(async () => {
        const page = await browser.newPage()
        if (html !== undefined) {
          await page.route(url, (route) => route.fulfill({ body: html, contentType: "text/html" }))
        }
        await page.goto(url)
        await page.unrouteAll()
        return page
      })
    )
  )
