/** What this browser keeps between visits: the person, the colours. */

/** Return what was kept under *key*, or null. */
export function recall(key) {
  try {
    return localStorage.getItem(`mlstudio-demo/${key}`);
  } catch {
    return null; // storage is off: nothing is kept
  }
}

/** Keep *value* under *key*. */
export function remember(key, value) {
  try {
    localStorage.setItem(`mlstudio-demo/${key}`, value);
  } catch {
    // storage is off: it holds until the page is closed
  }
}
