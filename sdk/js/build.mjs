/**
 * Builds the phone page into node/web/assets, which is committed so that the
 * node builds without JavaScript tools. The same source gives the same bytes.
 *
 *   node build.mjs          builds, and fails if the page is over its limit
 *   node build.mjs --check  builds elsewhere and fails if what is committed differs
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, transform } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const page = join(here, 'page')
const assets = join(here, '..', '..', 'node', 'web', 'assets')

/** The most that html, scripts and styles may have together, compressed. */
const LIMIT = 150 * 1024
const COUNTED = /\.(html|js|css)$/
const COPIED = ['index.html', 'manifest.webmanifest', 'icon.svg', 'icon-192.png', 'icon-512.png']

/** Builds everything. @returns {Promise<Map<string, Uint8Array>>} files by name */
async function make() {
  const files = new Map()
  for (const name of COPIED) files.set(name, await readFile(join(page, name)))
  const app = await build({
    entryPoints: [join(page, 'app.js')], absWorkingDir: here, bundle: true, minify: true, format: 'esm', target: 'es2022',
    legalComments: 'eof', charset: 'utf8', write: false, logLevel: 'warning',
  })
  files.set('app.js', app.outputFiles[0].contents)
  const style = await transform(await readFile(join(page, 'style.css'), 'utf8'), { loader: 'css', minify: true, target: 'es2022' })
  files.set('style.css', Buffer.from(style.code))
  files.set('sw.js', Buffer.from(await worker(files)))
  return files
}

/** The service worker, whose bytes change with those of the page: so that it is fetched anew. */
async function worker(files) {
  const h = createHash('sha256')
  for (const name of [...files.keys()].sort()) h.update(name).update('\0').update(files.get(name))
  const source = await readFile(join(page, 'sw.js'), 'utf8')
  const out = await transform(source, { minify: true, target: 'es2022', define: { SHELL_VERSION: JSON.stringify(h.digest('hex').slice(0, 16)) } })
  return out.code
}

/** @param {string} dir @param {Map<string, Uint8Array>} files */
async function write(dir, files) {
  await mkdir(dir, { recursive: true })
  for (const name of await readdir(dir)) if (!files.has(name)) await rm(join(dir, name), { recursive: true })
  for (const [name, bytes] of files) await writeFile(join(dir, name), bytes)
}

/** Says how large the page is. @param {Map<string, Uint8Array>} files */
function weigh(files) {
  let sum = 0
  for (const [name, bytes] of [...files].filter(([n]) => COUNTED.test(n))) {
    const size = gzipSync(bytes, { level: 9 }).length
    sum += size
    console.log(`${name.padEnd(12)} ${String(bytes.length).padStart(7)} bytes, ${String(size).padStart(6)} gzip`)
  }
  console.log(`page: ${sum} bytes gzip, limit ${LIMIT}`)
  return sum
}

/** What differs between two folders. @param {string} want @param {string} have */
async function differences(want, have) {
  const names = new Set([...await readdir(want), ...await readdir(have).catch(() => [])])
  const out = []
  for (const name of [...names].sort()) {
    const [a, b] = await Promise.all([want, have].map((d) => readFile(join(d, name)).catch(() => null)))
    if (!a) out.push(`${name}: committed, but not built any more`)
    else if (!b) out.push(`${name}: not committed`)
    else if (!a.equals(b)) out.push(`${name}: ${b.length} bytes committed, ${a.length} built`)
  }
  return out
}

const files = await make()
const sum = weigh(files)
if (sum > LIMIT) {
  console.error('the page is over its limit')
  process.exitCode = 1
} else if (process.argv.includes('--check')) {
  const dir = await mkdtemp(join(tmpdir(), 'hos-page-'))
  await write(dir, files)
  const diff = await differences(dir, assets)
  await rm(dir, { recursive: true })
  if (diff.length) {
    console.error(['node/web/assets is not what sdk/js builds:', ...diff, 'try: npm run build, and commit it'].join('\n'))
    process.exitCode = 1
  }
} else {
  await write(assets, files)
}
