// Writes times the way a messenger does: a clock for today, a weekday for this week, a date before that.
import { locale } from ".";

const region = typeof navigator === "undefined" ? locale : (navigator.language ?? locale);
const clock = new Intl.DateTimeFormat(region, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short" });
const longWeekday = new Intl.DateTimeFormat(locale, { weekday: "long" });
const dayMonth = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const fullDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const shortDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const everything = new Intl.DateTimeFormat(region, { dateStyle: "full", timeStyle: "medium" });
const relativeDay = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "always" });

/** 14:05 */
export function formatClock(time: Date): string {
  return clock.format(time);
}

/** For a tooltip: the whole date and time. */
export function formatFull(time: Date): string {
  return everything.format(time);
}

/** For the list: 14:05, yesterday's weekday, 3 May, 3 May 2024. */
export function formatListTime(time: Date, now: Date): string {
  const days = daysBetween(time, now);
  if (days <= 0) return clock.format(time);
  if (days < 7) return weekday.format(time);
  return time.getFullYear() === now.getFullYear() ? dayMonth.format(time) : shortDay.format(time);
}

/** For a day separator: Today, Yesterday, Monday, Monday 3 May, 3 May 2024. */
export function formatDay(time: Date, now: Date): string {
  const days = daysBetween(time, now);
  if (days === 0 || days === 1) return capital(relativeDay.format(-days, "day"));
  if (days > 1 && days < 7) return longWeekday.format(time);
  return time.getFullYear() === now.getFullYear() ? longDay.format(time) : fullDay.format(time);
}

/** For presence: 5 minutes ago, 14:05, yesterday, 3 May. */
export function formatSeen(time: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - time.getTime()) / 60_000);
  if (minutes < 1) return relativeDay.format(0, "minute");
  if (minutes < 60) return relative.format(-minutes, "minute");
  const days = daysBetween(time, now);
  if (days === 0) return clock.format(time);
  if (days === 1) return relativeDay.format(-1, "day");
  return time.getFullYear() === now.getFullYear() ? dayMonth.format(time) : shortDay.format(time);
}

/** 3 May 2026 */
export function formatDate(time: Date): string {
  return fullDay.format(time);
}

/** How many midnights of this place lie between the two. */
export function daysBetween(time: Date, now: Date): number {
  const a = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
  const b = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
  return Math.round((b - a) / 86_400_000);
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
}
