const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = '(?i:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const longDays = '(?i:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const month = '(?<month>[A-Za-z]{3})';
const time = '(?<time>\\d{2}:\\d{2}:\\d{2})';

/** The three forms, the first of which all servers use. Sources: RFC 9110, 5.6.7; Go, http.ParseTime, which BuildKit reads them with. */
const forms: readonly RegExp[] = [
  new RegExp(`^${days}, (?<day>\\d{2}) ${month} (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^${longDays}, (?<day>\\d{2})-${month}-(?<year>\\d{2}) ${time} [A-Z]{3,4}$`),
  new RegExp(`^${days} ${month} (?<day>[ \\d]?\\d) ${time} (?<year>\\d{4})$`),
];

/** The seconds since the epoch of a date in a header; undefined for what is none. */
export function parseHttpTime(text: string | undefined): number | undefined {
  const fields = forms.map((form) => form.exec(text ?? '')?.groups).find((groups) => groups !== undefined);
  if (!fields) return undefined;
  const monthIndex = months.indexOf((fields.month ?? '').toLowerCase());
  const [day, [hour = 0, minute = 0, second = 0]] = [Number(fields.day), (fields.time ?? '').split(':').map(Number)];
  const year = fullYear(fields.year ?? '');
  const date = new Date(0);
  date.setUTCFullYear(year, monthIndex, day);
  date.setUTCHours(hour, minute, second);
  const isReal =
    monthIndex >= 0 && date.getUTCMonth() === monthIndex && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return isReal ? date.getTime() / 1000 : undefined;
}

/** Two digits are of 1969 to 2068. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 4) return year;
  return year < 69 ? 2000 + year : 1900 + year;
}
