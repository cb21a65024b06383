// Lets Node load the measured script as it stands: 'piopiy/pcmo' is the builder beside this file, and main.js is an ES module.
export async function resolve(specifier, context, next) {
  if (specifier === 'piopiy/pcmo') return { url: new URL('./pcmo.mjs', import.meta.url).href, shortCircuit: true }
  return next(specifier, context)
}

export async function load(url, context, next) {
  return next(url, url.endsWith('/main.js') ? { ...context, format: 'module' } : context)
}
