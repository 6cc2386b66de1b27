// Recordings play on a click on their spectrogram; without this script the browser's own controls are there.
for (const box of document.querySelectorAll(".sound")) {
  const audio = box.querySelector("audio");
  const picture = box.querySelector("img");
  const button = document.createElement("button");
  const head = document.createElement("i");
  button.type = "button";
  button.className = "play";
  head.className = "head";
  const label = (verb) => button.setAttribute("aria-label", `${verb} ${picture.alt.replace("Spectrogram of a ", "the ")}`);
  label("Play");
  audio.controls = false;
  box.append(head, button);
  let frame = 0;
  const follow = () => {
    head.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
    frame = requestAnimationFrame(follow);
  };
  button.addEventListener("click", () => (audio.paused ? audio.play() : audio.pause()));
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    box.classList.add("playing");
    label("Stop");
    follow();
  });
  for (const end of ["pause", "ended"]) {
    audio.addEventListener(end, () => {
      box.classList.remove("playing");
      label("Play");
      cancelAnimationFrame(frame);
      audio.currentTime = 0;
    });
  }
}
