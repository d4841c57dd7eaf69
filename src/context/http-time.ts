const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = 'Mon|Tue|Wed|Thu|Fri|Sat|Sun';
const longDays = 'Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday';

/** The three forms, the first of which all servers use. Sources: RFC 9110, 5.6.7; Go, http.ParseTime, which BuildKit reads them with. */
const forms: readonly RegExp[] = [
  new RegExp(`^(?:${days}), (?<day>\\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) (?<time>\\d{2}:\\d{2}:\\d{2}) GMT$`),
  new RegExp(`^(?:${longDays}), (?<day>\\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\\d{2}) (?<time>\\d{2}:\\d{2}:\\d{2}) [A-Z]{3,4}$`),
  new RegExp(`^(?:${days}) (?<month>[A-Z][a-z]{2}) (?<day>[ \\d]\\d) (?<time>\\d{2}:\\d{2}:\\d{2}) (?<year>\\d{4})$`),
];

/** The seconds since the epoch of a date in a header; undefined for what is none. */
export function parseHttpTime(text: string | undefined): number | undefined {
  const fields = forms.map((form) => form.exec(text ?? '')?.groups).find((groups) => groups !== undefined);
  if (!fields) return undefined;
  const month = months.indexOf(fields.month ?? '');
  const [day, [hour = 0, minute = 0, second = 0]] = [Number(fields.day), (fields.time ?? '').split(':').map(Number)];
  const year = fullYear(fields.year ?? '');
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  date.setUTCHours(hour, minute, second);
  const isReal = month >= 0 && date.getUTCMonth() === month && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return isReal ? date.getTime() / 1000 : undefined;
}

/** Two digits are of 1969 to 2068. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 4) return year;
  return year < 69 ? 2000 + year : 1900 + year;
}
