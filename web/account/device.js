/** A readable name from a User-Agent header: “Firefox on Windows”. */

/** The first match counts: Edge also contains "Chrome", and Chrome "Safari". */
const BROWSERS = [
  ['Edg', 'Edge'],
  ['OPR', 'Opera'],
  ['Firefox', 'Firefox'],
  ['FxiOS', 'Firefox'],
  ['CriOS', 'Chrome'],
  ['Chrome', 'Chrome'],
  ['Safari', 'Safari'],
  ['Godot', 'Godot'],
  ['UnityPlayer', 'Unity'],
  ['curl', 'curl'],
  ['python', 'Python'],
];
const SYSTEMS = [
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Android', 'Android'],
  ['Windows', 'Windows'],
  ['Mac OS', 'macOS'],
  ['CrOS', 'ChromeOS'],
  ['Linux', 'Linux'],
];
const MAX_LENGTH = 60;

/** @param {string} userAgent */
export function describeDevice(userAgent) {
  const find = (/** @type {string[][]} */ names) => names.find(([mark]) => userAgent.includes(mark))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? (userAgent.slice(0, MAX_LENGTH) || 'An unknown device');
}
