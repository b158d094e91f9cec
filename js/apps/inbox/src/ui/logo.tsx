// The sign of the product: a speech bubble in which somebody is about to say something.
import type { JSX } from "preact";

export function Logo({ size }: { size: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" fill="#0d6670" />
      <path
        d="M9 8.5h14a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-6.2L11 26v-4.5H9a3 3 0 0 1-3-3v-7a3 3 0 0 1 3-3Z"
        fill="#fbf3e4"
      />
      <circle cx="11.5" cy="15" r="1.7" fill="#0d6670" />
      <circle cx="16" cy="15" r="1.7" fill="#0d6670" />
      <circle cx="20.5" cy="15" r="1.7" fill="#e2a13b" />
    </svg>
  );
}
