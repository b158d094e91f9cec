//! The `parlour` program.

fn main() -> std::process::ExitCode {
    parlour_server::cli::main()
}
