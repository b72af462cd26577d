/**
 * Keeps the page's own files for when there is no network, and nothing else:
 * what a node answers under /v1 is never stored. The network comes first, so
 * that a new page is there at the next opening.
 */
const CACHE = `hybridos-shell-${SHELL_VERSION}`
const SHELL = ['/', '/app.js', '/style.css', '/manifest.webmanifest', '/icon.svg', '/icon-192.png', '/icon-512.png']

/** After how long a network that does not answer counts as none, ms. */
const PATIENCE = 4000

self.addEventListener('install', (e) => {
  self.skipWaiting()
  e.waitUntil(caches.open(CACHE).then((c) => c.addAll(SHELL.map((p) => new Request(p, { cache: 'no-cache' })))))
})

self.addEventListener('activate', (e) => {
  e.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((n) => n !== CACHE).map((n) => caches.delete(n))))
    .then(() => self.clients.claim()))
})

self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url)
  const path = url.pathname === '/index.html' ? '/' : url.pathname
  if (e.request.method !== 'GET' || url.origin !== self.location.origin || !SHELL.includes(path)) return
  e.respondWith(fresh(path))
})

/** The file from the network, or the kept one if that fails or takes long. */
async function fresh(path) {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), PATIENCE)
  try {
    const res = await fetch(path, { cache: 'no-cache', signal: stop.signal })
    if (res.ok) return res
    return await kept(path) ?? res
  } catch (err) {
    const res = await kept(path)
    if (res) return res
    throw err
  } finally {
    clearTimeout(timer)
  }
}

async function kept(path) {
  return (await caches.open(CACHE)).match(path)
}
