/** The elements for pages; importing this defines them. */
export { HosProvider } from './provider.js'
export { HosLock } from './lock.js'
export { Session, knownDevice } from './session.js'
export { explain } from './words.js'
