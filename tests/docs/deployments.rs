//! Dockerfiles, compose files, Kubernetes and what else starts foster in a container: read by a
//! parser of their language, and their command lines run. `tests/containers` runs the images.

use std::time::Duration;

use yaml_rust2::{Yaml, YamlLoader};

use crate::page::{self, Block};
use crate::stage::Stage;

#[test]
fn the_command_line_of_each_dockerfile_starts_its_program() {
    for block in page::of("dockerfile", "") {
        let (entry, command) = (list(&block, "ENTRYPOINT"), list(&block, "CMD"));
        assert!(!entry.is_empty() && !command.is_empty(), "{}", block.place);
        starts(&block.place, &[entry, command].concat(), &[]);
    }
}

#[test]
fn compose_files_start_their_services_and_stop_them_in_time() {
    for block in page::of("yaml", "compose") {
        let document = load(&block);
        let services = document["services"].as_hash().expect("services");
        for (name, service) in services {
            let place = format!("{}: {}", block.place, name.as_str().expect("a name"));
            // compose refuses a key that it does not know.
            let known = "image entrypoint command environment stop_grace_period restart";
            for key in service.as_hash().expect("keys").keys() {
                let key = key.as_str().expect("a word");
                assert!(known.split(' ').any(|known| known == key), "{place}: {key}");
            }
            let words = [strings(&service["entrypoint"]), strings(&service["command"])].concat();
            let environment = service["environment"].as_hash().into_iter().flatten();
            let environment: Vec<(String, String)> = environment
                .map(|(name, value)| {
                    (name.as_str().expect("a name").into(), value.as_str().expect("text").into())
                })
                .collect();
            starts(&place, &words, &environment);
            let grace = service["stop_grace_period"].as_str().map_or(TEN, duration);
            assert!(stop_timeout(&words) < grace, "{place}: foster is not given the time");
        }
    }
}

#[test]
fn pods_start_their_containers_and_stop_them_in_time() {
    for block in page::of("yaml", "kubernetes") {
        let pod = load(&block);
        assert_eq!((pod["apiVersion"].as_str(), pod["kind"].as_str()), (Some("v1"), Some("Pod")));
        let grace = pod["spec"]["terminationGracePeriodSeconds"].as_i64().expect("a number");
        let grace = Duration::from_secs(grace.try_into().expect("of seconds"));
        let containers = pod["spec"]["containers"].as_vec().expect("containers");
        assert!(!containers.is_empty());
        for container in containers {
            let words = [strings(&container["command"]), strings(&container["args"])].concat();
            starts(&block.place, &words, &[]);
            assert!(stop_timeout(&words) < grace, "{}: not given the time", block.place);
        }
    }
}

#[test]
fn the_daemons_configuration_names_a_file_that_is_called_docker_init() {
    for block in page::of("json", "docker") {
        let settings = load(&block);
        assert_eq!(settings.as_hash().expect("settings").len(), 1, "{}", block.place);
        let path = settings["init-path"].as_str().expect("a path");
        starts(&block.place, &[path, "--", "app"].map(String::from), &[]);
        assert!(path.ends_with("/docker-init"), "{}: {path}", block.place);
    }
}

#[test]
fn podman_calls_foster_by_a_name_that_it_knows() {
    // Podman mounts the file of --init-path as /run/podman-init and runs `podman-init -- COMMAND`.
    starts("podman", &["/run/podman-init", "--", "app"].map(String::from), &[]);
}

/// Runs the command line of a container: what it names is started, with its arguments.
fn starts(place: &str, words: &[String], environment: &[(String, String)]) {
    let outcome = Stage::new().rehearse_words(words, environment);
    outcome.is_a_success(place);
    let wraps = words.windows(2).filter(|pair| pair[0] == "--wrap");
    let mut expected: Vec<String> = wraps.map(|pair| pair[1].clone()).collect();
    if expected.is_empty() {
        let command = words.iter().skip_while(|word| *word != "--").skip(1);
        let command: Vec<&str> = command.map(String::as_str).collect();
        expected.push(command.join(" "));
    }
    let name = |line: &String| {
        let (program, rest) = line.split_once(' ').unwrap_or((line, ""));
        let program = program.rsplit('/').next().unwrap_or_default();
        format!("{program} {rest}").trim_end().to_owned()
    };
    let mut expected: Vec<String> = expected.iter().map(name).collect();
    let mut started = outcome.started.clone();
    expected.sort();
    started.sort();
    assert_eq!(started, expected, "{place}: {outcome:?}");
}

/// The words of an instruction in a Dockerfile, which has them as JSON.
fn list(block: &Block, instruction: &str) -> Vec<String> {
    let line = block.text.lines().find_map(|line| line.strip_prefix(instruction));
    let documents = YamlLoader::load_from_str(line.unwrap_or_default());
    let documents = documents.unwrap_or_else(|error| panic!("{}: {error}", block.place));
    documents.first().map(strings).unwrap_or_default()
}

fn load(block: &Block) -> Yaml {
    let documents = YamlLoader::load_from_str(&block.text);
    let mut documents = documents.unwrap_or_else(|error| panic!("{}: {error}", block.place));
    assert_eq!(documents.len(), 1, "{}", block.place);
    documents.remove(0)
}

fn strings(list: &Yaml) -> Vec<String> {
    let words = list.as_vec().into_iter().flatten();
    words.map(|word| word.as_str().expect("a list of words").to_owned()).collect()
}

fn stop_timeout(words: &[String]) -> Duration {
    let at = words.iter().position(|word| word == "--stop-timeout");
    at.map_or(TEN, |at| duration(&words[at + 1]))
}

/// Whole seconds: all that the examples use.
fn duration(text: &str) -> Duration {
    let seconds = text.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(seconds.unwrap_or_else(|| panic!("{text} is not in seconds")))
}

/// The default of foster, of Docker and of compose.
const TEN: Duration = Duration::from_secs(10);
