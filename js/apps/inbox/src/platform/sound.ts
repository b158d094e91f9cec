// The tone of a new message: two soft notes, made by the browser itself.

let context: AudioContext | null = null;

/** Browsers play nothing before the first key or click; then this wakes the sound up. */
export function armSound(): () => void {
  const arm = (): void => {
    context ??= typeof AudioContext === "function" ? new AudioContext() : null;
    context?.resume().catch(() => undefined);
    stop();
  };
  const stop = (): void => {
    removeEventListener("pointerdown", arm);
    removeEventListener("keydown", arm);
  };
  addEventListener("pointerdown", arm);
  addEventListener("keydown", arm);
  return stop;
}

export function playTone(): void {
  if (context?.state !== "running") return;
  const start = context.currentTime + 0.01;
  note(context, 659.25, start, 0.14);
  note(context, 880, start + 0.11, 0.26);
}

function note(audio: AudioContext, frequency: number, start: number, length: number): void {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.type = "sine";
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.09, start + 0.015);
  volume.gain.exponentialRampToValueAtTime(0.0001, start + length);
  tone.connect(volume).connect(audio.destination);
  tone.start(start);
  tone.stop(start + length + 0.02);
}
